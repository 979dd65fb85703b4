/** Writes, runs and traces every case; the last line is `export: N passed, N failed`. Arguments choose cases by a part of their names. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { attentionClasses } from '../../extension/source/attention-classes.ts';
import { exportTargets } from '../../extension/source/export-script/targets.ts';
import { exportScript } from '../../extension/source/export-script/write.ts';
import { createIndex } from '../../extension/source/module-index.ts';
import { createPythonParser, type PythonParser } from '../../extension/source/python-parser.ts';
import { cases, type Case } from './cases.ts';

const root = resolve(__dirname, '..'), python = process.env.ATTNSCOPE_TORCH_PYTHON!, scratch = mkdtempSync(join(tmpdir(), 'attnscope-export-'));
const fixtures = join(root, 'test/unit/source/fixtures/export'), cli = join(root, 'dist/attnscope.js');
const sitePackages = execFileSync(python, ['-c', 'import importlib.util as u; s = u.find_spec("transformers"); print(s.submodule_search_locations[0] if s else "")'], { encoding: 'utf8' }).trim();

void main();

async function main(): Promise<void> {
  const parser = await createPythonParser({ runtimeWasm: join(root, 'dist/web-tree-sitter.wasm'), grammarWasm: join(root, 'dist/tree-sitter-python.wasm') });
  const wanted = process.argv.slice(2), chosen = cases.filter(one => wanted.length === 0 || wanted.some(part => one.name.includes(part)));
  let failed = 0;
  for (const [i, one] of chosen.entries()) {
    const started = Date.now();
    let said: string;
    try { said = check(one, join(scratch, String(i)), parser); } catch (error) { failed++; said = `FAILED: ${(error as Error).message}`; }
    console.log(`${one.name}: ${said} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  }
  rmSync(scratch, { recursive: true, force: true });
  console.log(`export: ${chosen.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || chosen.length === 0 ? 1 : 0;
}

function check(one: Case, folder: string, parser: PythonParser): string {
  mkdirSync(folder, { recursive: true });
  const files = put(one.source, folder), index = createIndex(files.map(path => ({ path, module: parser.parse(readFileSync(path, 'utf8')) })));
  const attention = one.attention === undefined ? attentionClasses([...new Set(index.all.map(ref => ref.document))], index)[0].ref : index.named(one.attention)[0];
  const model = exportTargets(index, attention)[0], place = one.source.startsWith('hf:') ? folder : join(model.document.path, '..');
  const script = exportScript(index, model, attention, { climb: 0 }), file = join(place, script.fileName);
  writeFileSync(file, script.text);
  const ran = spawnSync(python, [basename(file), ...one.args.map(arg => arg.startsWith('weights/') ? join(folder, arg) : arg)], { cwd: place, encoding: 'utf8', timeout: 300_000, env: { ...process.env, HF_HUB_OFFLINE: '1' } });
  if (one.refused !== undefined) {
    const last = ran.stderr.trim().split('\n').at(-1) ?? '';
    if (ran.status !== 1 || !last.startsWith(`${basename(file)}: `) || !last.includes(one.refused)) throw new Error(`the script should have ended with "${one.refused}"; it ended with ${ran.status}:\n${(ran.stdout + ran.stderr).slice(-1500)}`);
    return `refused: ${last.slice(0, 160)}`;
  }
  if (ran.status !== 0) throw new Error(`${script.fileName} ended with ${ran.status}:\n${(ran.stdout + ran.stderr).slice(-2500)}`);
  const lines = ran.stdout.split('\n'), wrote = lines.find(line => line.startsWith('Wrote ')) ?? '', differs = lines.filter(line => line.includes('differs from PyTorch')).map(line => /at most (\S+)/.exec(line)![1]);
  const exporter = /, (\w+) exporter/.exec(wrote)?.[1];
  if (lines.some(line => line.includes('exporter failed'))) console.log(`  ${lines.find(line => line.includes('exporter failed'))}`);
  if (differs.length < 2) throw new Error(`the script compared nothing:\n${ran.stdout.slice(-1500)}`);
  const output = join(place, ...script.output.split('/'));
  return `${script.recipe}, ${exporter}, differs from PyTorch by ${differs.join(', ')}${one.trace ? `; ${traced(one, output, folder)}` : ''}`;
}

/** Copies the sources of a case and returns the files that are parsed. */
function put(source: string, folder: string): string[] {
  if (source.startsWith('hf:')) {
    if (!sitePackages) throw new Error(`${python} has no transformers.`);
    return [join(sitePackages, 'models', source.slice(3), `modeling_${source.slice(3)}.py`)];
  }
  if (source === 'demo') {
    const demo = join(root, 'media/demo'), weights = join(folder, 'weights');
    mkdirSync(weights);
    cpSync(join(demo, 'model.py'), join(folder, 'model.py'));
    for (const name of ['tokenizer.json', 'config.json']) cpSync(join(demo, 'storyteller', name), join(weights, name));
    execFileSync(python, [join(root, 'test/export/demo_weights.py'), join(demo, 'storyteller/model.onnx'), join(weights, 'model.safetensors')]);
    return [join(folder, 'model.py')];
  }
  cpSync(join(fixtures, source), join(folder, source), { recursive: true });
  return source.endsWith('.py') ? [join(folder, source)] : (readdirSync(join(folder, source), { recursive: true }) as string[]).filter(name => name.endsWith('.py')).map(name => join(folder, source, name));
}

/** Traces the exported model as a user would; parity has to hold at every site, and the demo has to say what its shipped model says. */
function traced(one: Case, model: string, folder: string): string {
  const report = trace(model, join(folder, 'a.attntrace'), one, folder);
  const sites = report.sites.length, worst = Math.max(...report.sites.map(site => site.parity.maxAbs ?? NaN));
  if (sites !== one.sites) throw new Error(`${sites} sites were found, ${one.sites} expected`);
  const bad = report.sites.filter(site => site.parity.ok !== true);
  if (bad.length > 0) throw new Error(`parity fails at ${bad.map(site => site.name).join(', ')} (${worst})`);
  if (one.source === 'demo') {
    const shipped = trace(join(root, 'media/demo/storyteller/model.onnx'), join(folder, 'b.attntrace'), one, folder);
    const heads = (of: Report): number[] => of.sites.flatMap(site => site.heads.map(head => head.patternEntropy));
    const far = Math.max(...heads(report).map((value, i) => Math.abs(value - heads(shipped)[i])));
    // Two exports of the same weights: sums in another order, as in the check of the script itself.
    if (!(far <= 1e-4)) throw new Error(`the heads' entropies are ${far} from those of the shipped model`);
  }
  return `${sites} sites, parity ${worst.toExponential(1)}`;
}

interface Report { readonly sites: readonly { readonly name: string; readonly parity: { readonly maxAbs: number | null; readonly ok: boolean | null }; readonly heads: readonly { readonly patternEntropy: number }[] }[] }

function trace(model: string, out: string, one: Case, folder: string): Report {
  const given = one.trace!, args = 'prompt' in given ? ['--prompt', given.prompt] : 'ids' in given ? ['--ids', given.ids] : ['--inputs', tensors(given.inputs, join(folder, 'inputs.safetensors'))];
  const ran = spawnSync(process.execPath, [cli, 'trace', model, '--out', out, ...args], { encoding: 'utf8' });
  if (ran.status !== 0 || !existsSync(out)) throw new Error(`attnscope trace ended with ${ran.status}: ${ran.stderr.slice(-800)}`);
  return JSON.parse(execFileSync(process.execPath, [cli, 'show', out, '--json'], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as Report;
}

/** A safetensors file of float32 numbers: small whole ones for ids, ones for masks, a wave for anything else. */
function tensors(shapes: Readonly<Record<string, readonly number[]>>, file: string): string {
  let at = 0;
  const header: Record<string, unknown> = {}, parts: Float32Array[] = [];
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((a, b) => a * b, 1), whole = /^(src|tgt|keep)$/.test(name);
    parts.push(Float32Array.from({ length: size }, (_, i) => whole ? 1 + (name === 'keep' ? 0 : i % 9) : Math.sin(i * 1.7)));
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at += size * 4] };
  }
  const text = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([length, text, ...parts.map(part => Buffer.from(part.buffer))]));
  return file;
}
