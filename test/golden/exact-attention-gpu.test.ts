/** Exact attention: the WGSL kernels against the golden tensors, on whatever adapter there is. */
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../extension/engine/compute/attention/problem.ts';
import { attend, measure, picture, topKeys, type Tensors } from '../unit/compute/on-gpu.ts';
import { goldenCases } from './cases.ts';
import { close } from './close.ts';

describe.each(goldenCases('exact-attention').map(golden => [golden.name, golden] as const))('%s', (name, { tensors: golden, metadata }) => {
  const get = (part: string): { readonly shape: readonly number[]; readonly data: Float64Array } => golden.get(part)!;
  const q = get('q'), k = get('k'), v = get('v'), [, heads, queries, dim] = q.shape, [, kvHeads, keys] = k.shape, valueDim = v.shape[3];
  const windowed = Number(metadata['sliding_window']), causal = metadata['causal'] === 'True', sink = golden.has('sink_logits') ? get('sink_logits').data : undefined;
  // A mask of zeros and ones is an additive one of 0 and −∞ here, as exporters write it.
  const added = golden.has('bias') ? get('bias') : golden.has('mask') ? { shape: get('mask').shape, data: get('mask').data.map(seen => (seen ? 0 : -1e30)) } : undefined;
  const [, biasHeads, biasRows, biasKeys] = added?.shape ?? [0, 0, 0, 0];
  const problem: Omit<Problem, 'strides'> = {
    heads, kvHeads, queries, keys, dim, valueDim, scale: Number(metadata['scale']), softcap: Number(metadata['softcap']),
    offset: Number(metadata['causal_offset']), left: windowed ? windowed - 1 : 2 ** 30, right: causal ? 0 : 2 ** 30, sink: sink !== undefined, marks: false,
    ...(added ? { bias: { head: biasHeads === 1 ? 0 : biasRows * biasKeys, row: biasRows === 1 ? 0 : biasKeys, key: biasKeys === 1 ? 0 : 1 } } : {}),
  };
  const tensors: Tensors = { q: q.data, k: k.data, v: v.data, ...(added ? { bias: added.data } : {}), ...(sink ? { sink } : {}) };
  // The golden folder's own tolerances: x12 has logits of 640, x3 twice the rounding.
  const out = name.includes('x12') ? 1e-4 : name.includes('x3') ? 2e-5 : 1e-5, lse = name.includes('x12') ? 1e-3 : name.includes('x3') ? 2e-5 : 1e-5;
  const shares = golden.has('sink_prob') ? get('sink_prob').data : undefined, entropy = shares ? get('entropy_with_sink_nats').data.map((all, n) => all + (shares[n] > 0 ? shares[n] * Math.log(shares[n]) : 0)) : get('entropy_keys_nats').data;

  it.each(['naive', 'tiled'] as const)('%s', async kernel => {
    const got = await attend(problem, tensors, kernel);
    close(got.out, get('out').data, out);
    close(got.lse, get('lse').data, lse);
  });

  it('statistics', async () => {
    const [, , bins, keyBins] = get('pooled_mean').shape, got = await measure(problem, tensors, new Float32Array(queries).fill(1), bins, keyBins);
    close(got.lse, get('lse').data, lse);
    close(got.entropy, entropy, out);
    close(got.received, get('column_sum').data, out);
    const top = get('topk_index').data, best = get('topk_prob').data, count = get('topk_index').shape[3];
    expect([...got.maxKey]).toEqual(Array.from({ length: heads * queries }, (_, n) => top[n * count]));
    close(got.max, Float64Array.from({ length: heads * queries }, (_, n) => best[n * count]), out);
    // Means over the rows of a bin.
    const rowsOf = (bin: number): number => Math.ceil((bin + 1) * queries / bins) - Math.ceil(bin * queries / bins);
    close(got.picture.map((sum, n) => sum / rowsOf(Math.floor(n / keyBins) % bins)), get('pooled_mean').data, out);
  });

  it('pictures and highest keys', async () => {
    const [, , height, width] = get('pooled_max').shape, count = get('topk_index').shape[3], rows = Array.from({ length: queries }, (_, i) => i);
    for (let head = 0; head < heads; head++) {
      const most = await picture(problem, tensors, get('lse').data, { head, rows: [0, queries], columns: [0, keys], height, width, scores: false, most: true });
      close(most.map(value => (Number.isNaN(value) ? 0 : value)), get('pooled_max').data.subarray(head * height * width, (head + 1) * height * width), out);
      const { keys: found } = await topKeys(problem, tensors, head, rows, count);
      expect([...found]).toEqual([...get('topk_index').data.subarray(head * queries * count, (head + 1) * queries * count)]);
    }
  });
});
