/** Forms that need more than taps, traced from end to end: sink columns, quantised operands, additive attention. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { exportPattern } from '../../../extension/engine/analysis/export-pattern.ts';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { readReference, type ZooTensor } from '../../zoo/cases.ts';
import { runModel } from '../../zoo/session.ts';
import { ints, mixed, noise, scalar, scores, writeForm, writeTensors, x, type Built } from '../sites/form-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'run-forms-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Traced { readonly manifest: Manifest; readonly stored: ReadonlyMap<string, ZooTensor>; readonly pattern: ZooTensor; readonly own: Float32Array }

/** A trace of the form beside the value `probs` of the graph itself. */
async function traced(name: string, form: Built, probs: string): Promise<Traced> {
  const file = join(folder, `${name}.onnx`), inputs = join(folder, `${name}.in.safetensors`), out = join(folder, `${name}.attntrace`), pattern = `${out}.pattern`;
  writeForm(file, form);
  writeTensors(inputs, { 'in.x': x });
  await capture({ model: file, prompt: { kind: 'tensors', file: inputs }, out, dtype: 'fp32' }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out }), trace = openTrace(out);
  try { await exportPattern(trace, { out: pattern, sites: [], scores: false }); } finally { trace.close(); }
  const own = await runModel(await openModel(file), new Map([['in.x', x]]), { nodes: [{ op: 'Cast', name: 'own', inputs: [probs], outputs: ['own'], attributes: { to: 1 } }], outputs: [{ name: 'own', type: 1 }] });
  return { manifest, stored: readReference(out), pattern: [...readReference(pattern).values()][0], own: own['own'].data as Float32Array };
}
function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}
/** −Σ p ln p of every row of `keys` probabilities. */
function entropies(p: ArrayLike<number>, keys: number): number[] {
  return Array.from({ length: p.length / keys }, (_, row) => Array.from({ length: keys }, (__, j) => p[row * keys + j]).reduce((sum, v) => (v > 0 ? sum - v * Math.log(v) : sum), 0));
}

it('a sink column: rows keep their share of one, and entropy is of the keys alone', async () => {
  const { manifest, stored, pattern, own } = await traced('sink', {
    lines: [...scores, ['Reshape', 'sinks per', 'z0'], ['Expand', 'z0 rows', 'z'], ['Concat', 's z', 'wide', { axis: -1 }], ['Softmax', 'wide', 'all', { axis: -1 }], ['Slice', 'all zero1 six last', 'p'], mixed],
    tensors: [tensorOf('sinks', [2], [0.7, -1.2]), ints('per', 1, 2, 1, 1), ints('rows', 2, 2, 6, 1), ints('six', 6)],
  }, 'p');
  expect(manifest.parity['blocks.0.attn']).toMatchObject({ ok: true, of: 'pattern' });
  expect(manifest.sites[0]).toMatchObject({ sinkLogit: true, capture: 'graph' });
  expect(furthest(pattern.data, own)).toBeLessThan(1e-6);
  expect(furthest(stored.get('blocks.0.attn.stats.entropy')!.data, entropies(own, 6))).toBeLessThan(1e-5);
});

it('8-bit operands, scores and probabilities: q and k as they are multiplied, parity within what rounding may change', async () => {
  const u8 = dataType.uint8, qdq = (from: string, to: string, scale: string): Built['lines'] => [['QuantizeLinear', `${from} ${scale} z`, `${to}.i`], ['DequantizeLinear', `${to}.i ${scale} z`, to]];
  const { manifest, stored, pattern, own } = await traced('qdq', {
    lines: [...qdq('q', 'q8', 'c'), ...qdq('kT', 'k8', 'c'), ...qdq('v', 'v8', 'c'), ['MatMul', 'q8 k8', 's0'], ...qdq('s0', 's1', 'c2'), ['Mul', 's1 half', 's'], ['Softmax', 's', 'p0', { axis: -1 }], ['QuantizeLinear', 'p0 cp zp', 'p.i'], ['DequantizeLinear', 'p.i cp zp', 'p'], ['MatMul', 'p v8', 'o']],
    tensors: [scalar('c', 0.05), scalar('c2', 0.11), scalar('cp', 1 / 255), tensorOf('z', [], [128], u8), tensorOf('zp', [], [0], u8)],
  }, 'p0');
  const parity = manifest.parity['blocks.0.attn'];
  expect(parity).toMatchObject({ ok: true, of: 'pattern' });
  expect(parity.tolerance).toBeGreaterThan(Math.tanh(0.0275 / 2));
  expect(parity.tolerance).toBeLessThan(0.02);
  expect(furthest(pattern.data, own)).toBeLessThanOrEqual(parity.tolerance);
  // Multiples of the step: the dequantised value, not what went in.
  for (const value of stored.get('blocks.0.attn.hook_q')!.data) expect(Math.abs(value / 0.05 - Math.round(value / 0.05))).toBeLessThan(1e-4);
});

it('additive attention: its probabilities are kept, and said to be all there is', async () => {
  const { manifest, pattern, own } = await traced('additive', {
    lines: [['MatMul', 'x Wa', 'hk'], ['Slice', 'x zero1 one1 one1', 'first'], ['MatMul', 'first Wb', 'hq'], ['Add', 'hk hq', 'h'], ['Tanh', 'h', 't'], ['MatMul', 't va', 's9'], ['Softmax', 's9', 'p', { axis: 1 }], ['Mul', 'p x', 'w'], ['ReduceSum', 'w one1', 'o', { keepdims: 0 }]],
    tensors: [tensorOf('Wa', [8, 5], noise(40, 7, 0.6)), tensorOf('Wb', [8, 5], noise(40, 8, 0.6)), tensorOf('va', [5, 1], noise(5, 9)), ints('one1', 1)],
  }, 'p');
  expect(Object.values(manifest.parity)[0]).toMatchObject({ ok: null, of: 'none', why: 'Only the softmax could be read, so there is nothing to compare it with. Its scores are additive: a small network of the sum of query and key, no product of both.' });
  expect([pattern.shape, furthest(pattern.data, own)]).toEqual([[2, 1, 1, 6], 0]);
});
