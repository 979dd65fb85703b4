/** Kill -9 of either child at seeded moments of a walk-through: nothing is lost or half written, and maps are back within three seconds. `npm run test:kill` does 100. */
import { build } from 'esbuild';
import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../extension/children/engine.ts';
import { randomFrom } from '../../extension/engine/maths/random.ts';
import { hashOf, struckWalk, walk, type Bench, type Moment, type Outcome } from './walk.ts';
import { safetensorsProblem } from './whole.ts';

const count = Number(process.env['ATTNSCOPE_KILL_MOMENTS'] ?? 5), seed = Number(process.env['ATTNSCOPE_KILL_SEED'] ?? 20_261_124);
/** From the kill to the first map: 3 s, where nothing else runs (`npm run test:kill`); inside `npm test` this only tells coming back from hanging. */
const backWithinMs = process.env['ATTNSCOPE_KILL_MOMENTS'] === undefined ? 30_000 : 3_000;
const root = resolve(import.meta.dirname, '../..'), bundles = mkdtempSync(join(root, 'node_modules', '.attnscope-kill-')), folder = mkdtempSync(join(tmpdir(), 'attnscope-kill-'));
let bench: Bench, wholeMs: number;

beforeAll(async () => {
  await build({
    entryPoints: { runner: join(root, 'extension/engine/main/runner.ts'), analysis: join(root, 'extension/engine/main/analysis.ts') }, bundle: true, platform: 'node', format: 'cjs', target: 'node20', outdir: bundles, logLevel: 'error',
    define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')], external: ['onnxruntime-node', 'webgpu'],
  });
  const kept = join(folder, 'kept.attntrace');
  bench = { scripts: { runner: join(bundles, 'runner.js'), analysis: join(bundles, 'analysis.js') }, model: join(root, 'media/demo/storyteller/model.onnx'), folder, kept, keptHash: '', prompt: 'Anna gave the lantern to Boris. Then Boris gave it to Anna. '.repeat(12) };
  // Once without a death: the trace that is there before, and how long a walk takes once both children run.
  const engine = new Engine({ scripts: bench.scripts });
  await Promise.all([engine.sites(bench.model), engine.analysis()]);
  const started = performance.now();
  await walk(engine, bench, kept, () => undefined);
  wholeMs = performance.now() - started;
  await engine.dispose();
  bench = { ...bench, keptHash: hashOf(kept) };
});
afterAll(() => { for (const one of [bundles, folder]) rmSync(one, { recursive: true, force: true }); });

it('the judge finds a trace that was cut, and one that is no trace', () => {
  const cut = join(folder, '../cut.attntrace'), none = join(folder, '../none.attntrace');
  copyFileSync(bench.kept, cut);
  expect(safetensorsProblem(cut)).toBeUndefined();
  truncateSync(cut, 100_000);
  expect(safetensorsProblem(cut)).toMatch(/end at|header would have/);
  writeFileSync(none, 'x');
  expect(safetensorsProblem(none)).toBe('it has 1 bytes');
  for (const one of [cut, none]) rmSync(one);
});

it(`${count} moments, seed ${seed}`, { timeout: 60_000 + count * 30_000 }, async () => {
  const dice = randomFrom(seed), outcomes: (Outcome & Moment)[] = [];
  for (let n = 0; n < count; n++) {
    const moment: Moment = { role: dice() < 0.5 ? 'runner' : 'analysis', afterMs: dice() * wholeMs };
    outcomes.push({ ...moment, ...await struckWalk(bench, moment, `walk-${n}`) });
  }
  const said = (one: Outcome & Moment): string => `${one.role} at ${one.afterMs.toFixed(0)} ms, ${one.step}: back after ${one.backMs.toFixed(0)} ms`;
  expect(outcomes.filter(one => one.problems.length > 0).map(one => `${said(one)}: ${one.problems.join('; ')}`)).toEqual([]);
  expect(outcomes.filter(one => one.backMs > backWithinMs).map(said)).toEqual([]);
  const of = (holds: (one: Outcome & Moment) => boolean): number => outcomes.filter(holds).length;
  console.log(`Struck: ${of(one => one.role === 'runner')} runners, ${of(one => one.role === 'analysis')} analyses; ${of(one => /^trace/.test(one.step))} while tracing; ${of(one => one.finished)} walks came to their end all the same.\n${outcomes.toSorted((a, b) => b.backMs - a.backMs).slice(0, 5).map(said).join('\n')}`);
});
