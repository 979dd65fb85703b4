/** Statistics, probabilities and outputs from a stored site against the golden float64 tensors, and the float64 twin against them too. */
import { afterEach, describe, expect, it } from 'vitest';
import { valuesBlock } from '../../extension/engine/compute/kernel.ts';
import { cells, prepare } from '../../extension/engine/compute/rows.ts';
import { sampleStatistics } from '../../extension/engine/compute/statistics.ts';
import { referenceAttention } from '../../extension/engine/maths/reference-attention.ts';
import { measureMask } from '../../extension/engine/trace/mask.ts';
import { biasAt, countSeen, sees } from '../../extension/engine/trace/visibility.ts';
import { goldenNames, notBuilt, readGolden, type GoldenCase } from './cases.ts';
import { plainSite, positionsFirst, storeSite } from './stored-site.ts';

for (const name of notBuilt()) process.stderr.write(`not built: ${name}\n`);

const closers: (() => void)[] = [];
afterEach(() => { for (const close of closers.splice(0)) close(); });

/** Largest |a − b|; equal infinities differ by nothing. */
function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  expect(a.length).toBe(b.length);
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) { const d = Math.abs(a[n] - b[n]); if (!(d <= most)) most = Number.isNaN(d) ? Infinity : d; }
  return most;
}

function site(golden: GoldenCase) {
  const tensor = (name: string) => golden.tensors.get(name)!, { metadata } = golden;
  const [, heads, queries, dim] = tensor('q').shape, [, kvHeads, keys] = tensor('k').shape, valueDim = tensor('v').shape[3];
  const window = Number(metadata['sliding_window']), causal = metadata['causal'] === 'True', offset = causal ? Number(metadata['causal_offset']) : 0;
  const terms = [...(golden.tensors.has('bias') ? [{ ...tensor('bias'), as: 'add' as const }] : []), ...(golden.tensors.has('mask') ? [{ ...tensor('mask'), as: 'keep' as const }] : [])];
  const { visibility } = measureMask({
    site: plainSite.name, batch: 1, heads, queries, keys, rule: { causal, offset, window: window ? [window - 1, -1] : null }, claimed: plainSite.mask,
    terms: terms.map(term => ({ shape: term.shape, data: Float32Array.from(term.data), as: term.as })),
  });
  const sink = golden.tensors.has('sink_logits') ? Float32Array.from(tensor('sink_logits').data) : undefined;
  const stored = storeSite({ hook_q: positionsFirst(tensor('q').data, tensor('q').shape), hook_k: positionsFirst(tensor('k').data, tensor('k').shape), hook_v: positionsFirst(tensor('v').data, tensor('v').shape) },
    { scale: Number(metadata['scale']), softcap: Number(metadata['softcap']) || null, sinkLogit: sink !== undefined }, visibility, sink);
  closers.push(stored.close);
  return { view: stored.view, visibility, sink, heads, kvHeads, queries, keys, dim, valueDim };
}

const names = goldenNames('exact-attention');
describe.runIf(names.length)('exact-attention', () => {
  it.each(names)('%s', async file => {
    const golden = readGolden('exact-attention', file), data = (name: string): Float64Array => golden.tensors.get(name)!.data;
    const { view, visibility, sink, heads, kvHeads, queries, keys, dim, valueDim } = site(golden);
    // Tolerances of the golden folder's README: float32 rounding grows with the logits (x3: 2e-5; x12: outputs 1e-4, lse 1e-3).
    const tight = file.includes('x12') ? 1e-4 : file.includes('x3') ? 2e-5 : 1e-5, wide = file.includes('x12') ? 1e-3 : tight;
    const live = (h: number): Uint8Array => Uint8Array.from({ length: queries }, (_, i) => (countSeen(visibility, 0, h, i) ? 1 : 0));

    const twin = referenceAttention({
      q: data('q'), k: data('k'), v: data('v'), heads, kvHeads, queries, keys, dim, valueDim, scale: view.scale, softcap: view.softcap, sink,
      sees: (h, i, j) => sees(visibility, 0, h, i, j), bias: (h, i, j) => biasAt(visibility, 0, h, i, j),
    });
    // The golden files are float32: half a unit in the last place of the largest number.
    expect(worst(twin.out, data('out'))).toBeLessThan(2e-6);
    expect(worst(twin.lse, data('lse'))).toBeLessThan(6e-5);
    expect(worst(twin.entropy, data('entropy_keys_nats'))).toBeLessThan(2e-6);
    expect(worst(twin.received, data('column_sum'))).toBeLessThan(1e-5);

    const found = await sampleStatistics(view, 0, live, async () => undefined);
    expect(worst(found.lse, data('lse'))).toBeLessThan(wide);
    expect(worst(found.entropy, data('entropy_keys_nats'))).toBeLessThan(wide);
    expect(worst(found.received, data('column_sum'))).toBeLessThan(wide);
    expect(worst(found.max, twin.max)).toBeLessThan(tight);
    found.maxKey.forEach((key, n) => { if (key !== twin.maxKey[n]) expect(Math.abs(twin.probs[n * keys + key] - twin.max[n])).toBeLessThan(tight); });
    const pool = JSON.parse(golden.metadata['pool']) as [number, number];
    if (queries % 32 === 0 && keys % 32 === 0) expect(worst(coarser(found.pooled, heads, pool), data('pooled_mean'))).toBeLessThan(tight);

    const rows = Array.from({ length: queries }, (_, i) => i), k = positionsFirst(data('v'), [1, kvHeads, keys, valueDim]);
    const chosen = prepare({ view, batch: 0, of: 'prob', lse: found.lse }), p = await cells(chosen, rows, 0, keys, 0);
    expect(worst(p, twin.probs)).toBeLessThan(tight);
    const out = await valuesBlock({ heads, kvHeads, rows: queries, keys, dim }, p, k.data, valueDim);
    expect(worst(out, positionsFirst(data('out'), [1, heads, queries, valueDim]).data)).toBeLessThan(tight);
  });
});

/** [head, 32, 32] → [head, R, C]: means over rows, sums over columns. */
function coarser(pooled: Float32Array, heads: number, [R, C]: readonly [number, number]): Float64Array {
  const out = new Float64Array(heads * R * C);
  for (let h = 0; h < heads; h++) for (let a = 0; a < 32; a++) for (let c = 0; c < 32; c++) out[(h * R + Math.floor(a * R / 32)) * C + Math.floor(c * C / 32)] += pooled[(h * 32 + a) * 32 + c] * R / 32;
  return out;
}
