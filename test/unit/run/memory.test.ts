/** One layer's probabilities at a time: the peak of a capture must not grow with the number of layers beyond what it keeps. */
import { build } from 'esbuild';
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateDecoder } from '../../bench/generate-decoder.ts';
import { estimate } from '../../../extension/contract/estimate.ts';
import { weigh } from '../../../extension/engine/run/weigh.ts';
import type { Order, Report } from '../../bench/worker.ts';

const root = resolve(import.meta.dirname, '../../..'), heads = 8, width = 256, T = 1024;
let folder: string, script: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attnscope-memory-'));
  // Inside of the checkout, where Node finds onnxruntime.
  script = join(root, '.cache', `memory-${process.pid}`, 'worker.js');
  mkdirSync(join(script, '..'), { recursive: true });
  await build({ entryPoints: [join(root, 'test/bench/worker.ts')], outfile: script, bundle: true, platform: 'node', format: 'cjs', target: 'node20', external: ['onnxruntime-node', 'webgpu'], define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')], logLevel: 'error' });
});
afterAll(() => { rmSync(folder, { recursive: true, force: true }); rmSync(join(script, '..'), { recursive: true, force: true }); });

/** A capture in a process of its own. */
async function captured(layers: number): Promise<{ readonly peakBytes: number; readonly storedBytes: number }> {
  const model = generateDecoder(join(folder, `${layers}`), { layers, heads, width, vocabulary: 512, positions: T }), child = fork(script, { serialization: 'advanced' });
  try {
    const report = await new Promise<Report>((done, fail) => {
      child.once('message', message => done(message as Report));
      child.once('exit', code => fail(new Error(`The worker ended with ${code}.`)));
      child.send({ kind: 'capture', model, ids: Array.from({ length: T }, (_, i) => i % 500), out: join(folder, `${layers}.attntrace`) } satisfies Order);
    });
    return { peakBytes: report.peakBytes, storedBytes: report.more['storedBytes'] };
  } finally { child.removeAllListeners('exit'); child.kill(); }
}

it('12 layers peak no higher than 4, beyond weights and taps', async () => {
  const four = await captured(4), twelve = await captured(12), MB = 2 ** 20;
  const weights = 8 * 12 * width * width * 4, keptRows = 8 * heads * 64 * (T + width / heads) * 4;
  const grown = twelve.peakBytes - four.peakBytes, allowed = 2 * (twelve.storedBytes - four.storedBytes) + weights + keptRows + 40 * MB;
  // Were every layer's scores and probabilities kept, eight more layers would add 8 · 2 · 32 MB.
  expect(8 * 2 * heads * T * T * 4).toBeGreaterThan(2 * allowed);
  expect(grown / MB).toBeLessThan(allowed / MB);
});

it('the peak is what was estimated, within the factor of two that an estimate promises', async () => {
  const { peakBytes } = await captured(12);
  const facts = await weigh({ model: join(folder, '12/model.onnx'), prompt: { kind: 'ids', ids: Array.from({ length: T }, (_, i) => i % 500) }, out: join(folder, 'weighed.attntrace') });
  const ratio = estimate(facts, { stored: 'F32' }).memoryBytes / peakBytes;
  expect(ratio).toBeGreaterThan(0.5);
  expect(ratio).toBeLessThan(2);
  // Time comes from what this machine does: there is one, and it is no more than a minute for a model of 30 MB.
  expect(facts.speed!.productsPerMs).toBeGreaterThan(1e4);
  expect(estimate(facts, { stored: 'F32' }).timeMs).toBeLessThan(60_000);
});
