/** The command line as its users call it: exit codes, streams, JSON, and Ctrl-C; the real bundle in a process of its own. */
import { build } from 'esbuild';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { generateDecoder } from '../../bench/generate-decoder.ts';
import { int32Tensors, tinyModel } from '../verdicts/tiny-models.ts';

const root = resolve(import.meta.dirname, '../../..'), bundle = mkdtempSync(join(mkdirFor(join(root, 'node_modules/.cache')), 'attnscope-cli-')), folder = mkdtempSync(join(tmpdir(), 'attnscope-cli-'));
const llama = join(root, 'test/zoo/models/llama/sdpa-ts.onnx'), reference = join(root, 'test/zoo/models/llama/reference.safetensors');
function mkdirFor(path: string): string { mkdirSync(path, { recursive: true }); return path; }

beforeAll(async () => {
  await build({
    absWorkingDir: root, outdir: bundle, bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'error', external: ['onnxruntime-node', 'webgpu'],
    define: { 'import.meta.url': '__importMetaUrl' }, inject: ['extension/cjs-shim.js'],
    entryPoints: { attnscope: 'extension/engine/main/cli.ts', runner: 'extension/engine/main/runner.ts', analysis: 'extension/engine/main/analysis.ts' },
  });
});
afterAll(() => { for (const one of [bundle, folder]) rmSync(one, { recursive: true, force: true }); });

interface Result { readonly code: number | null; readonly out: string; readonly err: string }
function attnscope(...args: readonly string[]): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(bundle, 'attnscope.js'), ...args], { encoding: 'utf8', timeout: 60_000 });
  return { code: status, out: stdout, err: stderr };
}
const out = (name: string): string => join(folder, name);

describe('a trace', () => {
  it('is made, shown, and read back; stdout is one JSON value and stderr is silent', () => {
    const file = out('a.attntrace'), traced = attnscope('trace', llama, '--inputs', reference, '--out', file, '--json');
    expect(traced).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(traced.out)).toMatchObject({ file, sites: [{ name: 'blocks.0.attn' }, { name: 'blocks.1.attn' }], filledInputs: {}, parity: { 'blocks.0.attn': { ok: true } }, model: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string } });
    const shown = attnscope('show', file, '--json');
    expect(shown).toMatchObject({ code: 0, err: '' });
    expect((JSON.parse(shown.out) as { sites: { heads: unknown[] }[] }).sites.map(site => site.heads.length)).toEqual([8, 8]);
    expect(attnscope('show', file).out).toContain('blocks.1.attn');
    expect(attnscope('pattern', file, '--out', out('p.safetensors'), '--site', 'blocks.1.attn', '--head', '1', '--rows', '0:4')).toMatchObject({ code: 0, err: '' });
    const bytes = readFileSync(out('p.safetensors'));
    expect(JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString('utf8'))).toMatchObject({ 'blocks.1.attn.hook_pattern': { dtype: 'F32', shape: [2, 1, 4, 12] } });
    expect(attnscope('map', file, '--head', 'L1H2', '--out', out('m.png'))).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(out('m.png')).subarray(1, 4).toString()).toBe('PNG');
    expect(attnscope('map', file, '--head', '1.2', '--batch', '1', '--out', out('m.csv')).code).toBe(0);
    expect(readFileSync(out('m.csv'), 'utf8').trim().split('\n')).toHaveLength(13);
    expect(readdirSync(folder).filter(name => /\.(part|side|capture)$/.test(name))).toEqual([]);
  });
  it('is of ids, says what was filled, and keeps z and halves when asked', () => {
    const { code, out: text } = attnscope('trace', llama, '--ids', '5, 6,7', '--keep', 'z', '--dtype', 'fp16', '--out', out('b.attntrace'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ filledInputs: { attention_mask: 'ones, [batch, tokens]' }, input: { ids: [[5, 6, 7]], tokens: [['#5', '#6', '#7']] }, parity: { 'blocks.0.attn': { dtype: 'F16', ok: true } } });
    const bytes = readFileSync(out('b.attntrace')), header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString('utf8')) as Record<string, unknown>;
    expect(header['blocks.0.attn.hook_z']).toMatchObject({ dtype: 'F16', shape: [1, 3, 4, 8] });
  });
  it('is of the layers that were asked for', () => {
    const { code, out: text } = attnscope('trace', llama, '--ids', '5,6,7', '--layers', '1', '--out', out('layer.attntrace'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ sites: [{ name: 'blocks.1.attn' }], kept: { layers: [1], ofSites: 2 } });
    expect(attnscope('trace', llama, '--ids', '5,6,7', '--layers', '0-1', '--out', out('layer.attntrace')).out).toMatch(/^sites +2$/m);
    expect(attnscope('trace', llama, '--ids', '5,6,7', '--layers', '0', '--out', out('layer.attntrace')).out).toContain('1 of 2 (layers 0)');
  });
  it('replaces an older one only when it is whole', () => {
    const file = out('old.attntrace');
    writeFileSync(file, 'old');
    expect(attnscope('trace', llama, '--ids', '5,99999', '--out', file).code).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(attnscope('trace', llama, '--ids', '5', '--out', file).code).toBe(0);
    expect(readFileSync(file).length).toBeGreaterThan(1000);
  });
  it('takes text where a tokenizer lies beside the model', () => {
    const home = mkdirFor(out('with-tokenizer'));
    copyFileSync(llama, join(home, 'model.onnx'));
    const merges: string[] = [], vocab = Object.fromEntries([...'abcdefghijklmnopqrstuvwxyzĠ'].map((letter, id) => [letter, id]));
    writeFileSync(join(home, 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab, merges }, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true }, decoder: { type: 'ByteLevel' }, normalizer: null, post_processor: null, added_tokens: [] }));
    writeFileSync(out('prompt.txt'), 'ab c');
    for (const prompt of [['--prompt', 'ab c'], ['--prompt-file', out('prompt.txt')]]) {
      const { code, out: text } = attnscope('trace', home, ...prompt, '--out', out('t.attntrace'), '--json');
      expect(code).toBe(0);
      expect((JSON.parse(text) as { input: unknown }).input).toMatchObject({ text: 'ab c', ids: [[0, 1, 26, 2]], tokens: [['a', 'b', ' ', 'c']], spans: [[[0, 1], [1, 2], [2, 3], [3, 4]]] });
    }
  });
});

describe('a prompt of two texts', () => {
  const home = join(folder, 'segments'), letters = [...'abcd'];
  beforeAll(() => {
    tinyModel(home, 'local', { segments: true });
    const vocab = Object.fromEntries(['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...letters, ...letters.map(letter => `##${letter}`)].map((piece, id) => [piece, id]));
    writeFileSync(join(home, 'tokenizer.json'), JSON.stringify({
      model: { type: 'WordPiece', vocab, unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 }, pre_tokenizer: { type: 'BertPreTokenizer' }, normalizer: null, decoder: null, added_tokens: [],
      post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] },
    }));
  });
  it('is joined by the template, its token types are fed, and spans are of each text', () => {
    const { code, out: text, err } = attnscope('trace', home, '--prompt', 'ab c', '--pair', 'd', '--keep', 'pattern', '--out', out('pair.attntrace'), '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const manifest = JSON.parse(text) as Manifest;
    expect(manifest.input).toMatchObject({
      text: 'ab c', pair: 'd', ids: [[2, 4, 9, 6, 3, 7, 3]], tokens: [['[CLS]', 'a', '##b', 'c', '[SEP]', 'd', '[SEP]']], segments: [[0, 0, 0, 0, 0, 1, 1]],
      spans: [[null, [0, 1], [1, 2], [3, 4], null, [0, 1], null]], special: { start: 2, unknown: 1 },
    });
    expect(manifest.filledInputs['token_type_ids']).toBe("the segment of each token, from the tokenizer's template");
    expect(Object.values(manifest.parity).every(parity => parity.ok)).toBe(true);
    // The same inputs given as tensors are the same run; with all types 0 it is another.
    const given = (types: readonly number[], file: string): Buffer => {
      writeFileSync(out(`${file}.safetensors`), int32Tensors({ input_ids: { shape: [1, 7], data: manifest.input.ids[0] }, token_type_ids: { shape: [1, 7], data: types } }));
      expect(attnscope('trace', home, '--inputs', out(`${file}.safetensors`), '--keep', 'pattern', '--out', out(`${file}.attntrace`)).code).toBe(0);
      return patternOf(out(`${file}.attntrace`));
    };
    expect(given([0, 0, 0, 0, 0, 1, 1], 'typed').equals(patternOf(out('pair.attntrace')))).toBe(true);
    expect(given([0, 0, 0, 0, 0, 0, 0], 'untyped').equals(patternOf(out('pair.attntrace')))).toBe(false);
  });
  it('needs a first one', () => {
    expect(attnscope('trace', home, '--ids', '1', '--pair', 'x', '--out', out('x'))).toMatchObject({ code: 2, err: expect.stringContaining('--pair is the second text of --prompt or --prompt-file.') as string });
  });
});

/** The bytes of the first site's probabilities. */
function patternOf(file: string): Buffer {
  const bytes = readFileSync(file), start = 8 + Number(bytes.readBigUInt64LE()), header = JSON.parse(bytes.subarray(8, start).toString('utf8')) as Record<string, { data_offsets: [number, number] }>;
  const [from, to] = header['blocks.0.attn.hook_pattern'].data_offsets;
  return bytes.subarray(start + from, start + to);
}

describe('sites', () => {
  it('prints a table, or the report as JSON', () => {
    expect(attnscope('sites', llama).out).toContain('2 sites in sdpa-ts.onnx');
    expect(JSON.parse(attnscope('sites', llama, '--json').out)).toMatchObject({ formatVersion: 1, sites: [{ heads: 4, kvHeads: 2 }, {}], refused: [] });
  });
});

describe('refusals and wrong usage', () => {
  it.each([
    ['no command', [], 2, 'Debugs attention'],
    ['an unknown command', ['trcae', 'x'], 2, 'There is no command "trcae"; there are sites, trace, show, diff, pattern, map.'],
    ['an unknown option', ['sites', llama, '--nosuch'], 2, "Unknown option '--nosuch'"],
    ['no prompt', ['trace', llama, '--out', 'x'], 2, 'One of --prompt, --prompt-file, --ids, --inputs, --audio and --image is needed.'],
    ['two prompts', ['trace', llama, '--ids', '1', '--prompt', 'x', '--out', 'x'], 2, 'Only one of --prompt, --ids can be given.'],
    ['no place for the trace', ['trace', llama, '--ids', '1'], 2, '--out FILE.attntrace is missing.'],
    ['ids that are none', ['trace', llama, '--ids', '1,x', '--out', 'x'], 2, 'found "x"'],
    ['layers that are none', ['trace', llama, '--ids', '1', '--layers', '3-1', '--out', 'x'], 2, '--layers takes numbers and ranges, as 0-3,10; found "3-1".'],
    ['a layer that is not there', ['trace', llama, '--ids', '1', '--layers', '0-2', '--out', out('none')], 1, 'The model has no attention in layer 2; its layers are 0-1.'],
    ['a type that is none', ['trace', llama, '--ids', '1', '--dtype', 'fp8', '--out', 'x'], 2, '--dtype must be one of auto, fp16, fp32; found "fp8".'],
    ['a model that is not there', ['trace', out('none.onnx'), '--ids', '1', '--out', out('x')], 1, 'none.onnx'],
    ['text without a tokenizer', ['trace', llama, '--prompt', 'hello', '--out', out('x')], 1, 'There is no tokenizer.json beside'],
    ['a folder that is not there', ['trace', llama, '--ids', '5', '--out', out('no/such/x')], 1, 'its folder does not exist'],
    ['a prompt file that is not there', ['trace', llama, '--prompt-file', out('none.txt'), '--out', out('x')], 1, 'none.txt cannot be read (ENOENT)'],
    ['a trace that is none', ['show', llama], 1, 'sdpa-ts.onnx'],
  ])('%s', (_, args, code, sentence) => {
    const before = readdirSync(folder).join(), result = attnscope(...args);
    expect(result.code).toBe(code);
    expect(code === 2 && !args.length ? result.out : result.err).toContain(sentence);
    expect(result.err).not.toMatch(/\n\s+at /);
    if (code === 1) expect(result.err.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(folder).join()).toBe(before);
  });
  it('says nothing where whoever reads has seen enough', async () => {
    const child = spawn(process.execPath, [join(bundle, 'attnscope.js'), 'sites', llama], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => { said += data.toString(); });
    child.stdout.destroy();
    expect([await new Promise(done => child.once('close', done)), said]).toEqual([0, '']);
  });
  it('a bug writes its stack into a log and names that', () => {
    const broken = join(bundle, 'broken.js'), text = readFileSync(join(bundle, 'attnscope.js'), 'utf8'), place = /function sitesReport\(model\) \{/;
    expect(text).toMatch(place);
    writeFileSync(broken, text.replace(place, '$& throw new TypeError("made for the test");'));
    const result = spawnSync(process.execPath, [broken, 'sites', llama], { encoding: 'utf8' });
    expect(result.status).toBe(3);
    const log = /^A bug of AttnScope: made for the test \(details in (.*)\)\n$/.exec(result.stderr)?.[1];
    expect(readFileSync(log!, 'utf8')).toMatch(/TypeError: made for the test\n\s+at sitesReport/);
    rmSync(log!);
  });
});

describe('Ctrl-C', () => {
  it('in mid-run: gone within a second, exit 130, nothing left, nothing said', async () => {
    const model = generateDecoder(out('slow'), { layers: 12, heads: 8, width: 256, vocabulary: 128, positions: 4096 }), file = out('slow.attntrace');
    const ids = Array.from({ length: 2048 }, (_, i) => i % 128).join();
    const child = spawn(process.execPath, [join(bundle, 'attnscope.js'), 'trace', model, '--ids', ids, '--out', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => { said += data.toString(); });
    child.stderr.on('data', (data: Buffer) => { said += data.toString(); });
    const ended = new Promise<number | null>(done => child.once('exit', code => done(code)));
    for (const end = Date.now() + 30_000; !existsSync(`${file}.part`) && Date.now() < end;) await new Promise(done => setTimeout(done, 10));
    await new Promise(done => setTimeout(done, 700));
    expect(child.exitCode).toBe(null);
    const started = performance.now();
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(said).toBe('');
    expect(readdirSync(folder).filter(name => name.startsWith('slow.'))).toEqual([]);
  });
});
