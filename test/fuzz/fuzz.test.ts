/** Mutants against the real children. `npm run fuzz` does 20,000; this, seeded, a few hundred. */
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../extension/children/engine.ts';
import { zooCases } from '../zoo/cases.ts';
import { figuresOf, keepFigures } from './figures.ts';
import { fuzz, type Verdict } from './judge.ts';
import type { Target } from './target.ts';
import { imageProcessors, images, soundProcessors, sounds } from './targets/media.ts';
import { models } from './targets/models.ts';
import { tiledImage } from './tiled-image.ts';
import { configs, genaiConfigs, tokenizerConfigs, tokenizers } from './targets/texts.ts';
import { inputs, traces } from './targets/traces.ts';

const count = Number(process.env['ATTNSCOPE_FUZZ_MUTANTS'] ?? 200), seed = Number(process.env['ATTNSCOPE_FUZZ_SEED'] ?? 20_261_124), only = process.env['ATTNSCOPE_FUZZ_ONLY'], first = Number(process.env['ATTNSCOPE_FUZZ_FROM'] ?? 0);
const root = resolve(import.meta.dirname, '../..'), bundles = mkdtempSync(join(root, 'node_modules', '.attnscope-fuzz-')), folder = mkdtempSync(join(tmpdir(), 'attnscope-fuzz-'));
const scripts = { runner: join(bundles, 'runner.js'), analysis: join(bundles, 'analysis.js') }, seeds = ['text', 'image'].map(name => join(folder, `${name}.attntrace`));

beforeAll(async () => {
  await build({
    entryPoints: { runner: join(root, 'extension/engine/main/runner.ts'), analysis: join(root, 'extension/engine/main/analysis.ts') }, bundle: true, platform: 'node', format: 'cjs', target: 'node20', outdir: bundles, logLevel: 'error', sourcemap: 'inline',
    define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')], external: ['onnxruntime-node', 'webgpu'],
  });
  const engine = new Engine({ scripts }), { file } = zooCases().find(one => /llama[\\/]eager-ts/.test(one.file))!;
  await engine.trace({ model: file, prompt: { kind: 'ids', ids: [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8] }, out: seeds[0] });
  await engine.trace(tiledImage(folder, seeds[1]));
  await engine.dispose();
});
afterAll(() => { for (const one of [bundles, folder]) rmSync(one, { recursive: true, force: true }); });

const targets: readonly { readonly name: string; readonly share: number; make(): Target }[] = [...[models, tokenizers, configs, tokenizerConfigs, genaiConfigs, inputs, images, sounds, imageProcessors, soundProcessors].map(target => ({ name: target.name, share: target.share, make: () => target })), { name: 'traces', share: 5, make: () => traces(seeds) }];
const shares = targets.reduce((sum, { share }) => sum + share, 0);

it.each(targets.filter(target => only === undefined || only === target.name).map(target => [target.name, target] as const))('%s', { timeout: 60_000 + count * 6_000 }, async (_, target) => {
  const mine = Math.max(1, Math.round(count * (only === undefined ? target.share / shares : 1)));
  const verdicts = await fuzz(target.make(), [first, first + mine], seed, { scripts, folder, kept: join(root, 'test-results/fuzz') });
  if (process.env['ATTNSCOPE_FUZZ_SHOW']) console.log(verdicts.map(one => one.ended + ': ' + one.how + ' → ' + one.said.replaceAll(folder, '')).join('\n'));
  const of = (ended: Verdict['ended']): number => verdicts.filter(one => one.ended === ended).length, figures = figuresOf(verdicts);
  console.log(`${target.name}: ${mine} mutants, ${of('used')} used all the same, ${of('refused')} refused with a sentence, ${of('runner crashed')} ended the runner, ${of('runner ended after 5 s')} were still running after 5 s; at most ${figures.longestMs} ms and ${figures.mostMegabytes} MB.`);
  keepFigures(join(root, 'test-results/fuzz'), seed, first, figures);
  expect(verdicts.filter(one => one.problem !== undefined).map(one => `${one.target} ${one.nth} (${one.how}): ${one.problem}. It said: ${one.said}`)).toEqual([]);
  // onnxruntime runs for ever on few mutants; where it seems to on many, it is something of ours.
  expect(of('runner ended after 5 s')).toBeLessThanOrEqual(Math.ceil(mine / 200));
  // A fuzzer that only makes whole files, or only rubbish, tries nothing.
  if (mine >= 10 && target.name !== 'tokenizer-configs') expect(of('refused')).toBeGreaterThan(0);
});
