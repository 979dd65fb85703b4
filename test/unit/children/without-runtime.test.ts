/** On a Mac with an Intel processor: models are refused with a sentence, maps too, and what needs no onnxruntime works; with the real children on a platform that is made believe. */
import { build } from 'esbuild';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../../extension/children/engine.ts';
import { UserError } from '../../../extension/contract/errors.ts';
import { withoutRuntime } from '../../../extension/contract/platform.ts';

const root = resolve(import.meta.dirname, '../../..'), model = join(root, 'media/demo/storyteller/model.onnx'), bundles = mkdtempSync(join(root, 'node_modules', '.attnscope-platform-')), folder = mkdtempSync(join(tmpdir(), 'attnscope-platform-'));
const remedy = 'Open the folder in a dev container or over Remote - SSH, where AttnScope runs on Linux. Traces made elsewhere open here.';
const here: Engine[] = [];

beforeAll(async () => {
  await build({
    entryPoints: { runner: join(root, 'extension/engine/main/runner.ts'), analysis: join(root, 'extension/engine/main/analysis.ts') }, bundle: true, platform: 'node', format: 'cjs', target: 'node20', outdir: bundles, logLevel: 'error',
    define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')], external: ['onnxruntime-node', 'webgpu'],
  });
  // As in the package for darwin-x64: asking for onnxruntime finds nothing.
  for (const role of ['runner', 'analysis']) writeFileSync(join(bundles, `intel-${role}.js`), `
    Object.defineProperty(process, 'platform', { value: 'darwin' });
    Object.defineProperty(process, 'arch', { value: 'x64' });
    const { Module } = require('node:module'), load = Module._load;
    Module._load = (name, ...rest) => { if (/^onnxruntime-/.test(name)) throw new Error('Cannot find module ' + name); return load(name, ...rest); };
    require('./${role}.js');`);
});
afterAll(async () => {
  for (const engine of here) await engine.dispose();
  for (const one of [bundles, folder]) rmSync(one, { recursive: true, force: true });
});
function engine(prefix: string): Engine {
  const made = new Engine({ scripts: { runner: join(bundles, `${prefix}runner.js`), analysis: join(bundles, `${prefix}analysis.js`) } });
  here.push(made);
  return made;
}
const failure = (work: Promise<unknown>): Promise<UserError> => work.then(() => { throw new Error('it worked'); }, (error: unknown) => { expect(error).toBeInstanceOf(UserError); return error as UserError; });

it('says so for the platforms that have no build, and for no other', () => {
  for (const [platform, arch] of [['linux', 'x64'], ['linux', 'arm64'], ['darwin', 'arm64'], ['win32', 'x64'], ['win32', 'arm64']]) expect(withoutRuntime('Models cannot be run', platform, arch)).toBeUndefined();
  expect(withoutRuntime('Models cannot be run', 'linux', 'riscv64')!.message).toBe('Models cannot be run on this machine: onnxruntime has no build for linux-riscv64.');
});
it('refuses to trace, leaves nothing, and still recognises the sites of a model', async () => {
  const intel = engine('intel-'), error = await failure(intel.trace({ model, prompt: { kind: 'text', text: 'Anna' }, out: join(folder, 'none.attntrace') }));
  expect([error.message, error.remedy]).toEqual(['Models cannot be run on this machine: onnxruntime has no build for Macs with an Intel processor (darwin-x64).', remedy]);
  expect(readdirSync(folder)).toEqual([]);
  expect((await intel.sites(model)).sites).toHaveLength(6);
});
it('opens a trace that was made elsewhere, with thumbnails and statistics; a map is refused', async () => {
  const file = join(folder, 'made-here.attntrace');
  await engine('').trace({ model, prompt: { kind: 'text', text: 'Anna gave the lantern to Boris.' }, out: file });
  const analysis = await engine('intel-').analysis(), { trace, manifest } = await analysis.open({ file }), site = manifest.sites[0].name;
  expect((await analysis.thumbnails({ trace, site })).data.some(value => value > 0)).toBe(true);
  expect((await analysis.rows({ trace, site, batch: 0, head: 0 })).entropy.length).toBeGreaterThan(3);
  const error = await failure(analysis.tile({ trace, site, batch: 0, head: 0, rows: [0, 4], cols: [0, 4], height: 4, width: 4, of: 'prob', reduce: 'max' }));
  expect([error.message, error.remedy]).toEqual(['Maps cannot be computed on this machine: onnxruntime has no build for Macs with an Intel processor (darwin-x64).', remedy]);
});
