/** Exact attention: the CPU kernels and the float64 twin against the golden tensors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { computeTile } from '../../extension/engine/analysis/tile.ts';
import { valuesBlock } from '../../extension/engine/compute/kernel.ts';
import { cells, prepare } from '../../extension/engine/compute/rows.ts';
import { sampleStatistics } from '../../extension/engine/compute/statistics.ts';
import { referenceAttention } from '../../extension/engine/maths/reference-attention.ts';
import { measureMask } from '../../extension/engine/trace/mask.ts';
import { biasAt, countVisible, sees } from '../../extension/engine/trace/visibility.ts';
import { goldenCases, notBuilt } from './cases.ts';
import { close } from './close.ts';
import { storeSite } from './stored-site.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-golden-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('says which golden folders wait for their module', () => {
  for (const name of notBuilt()) console.log(`not built: ${name}`);
  expect(notBuilt()).not.toContain('exact-attention');
});

describe.each(goldenCases('exact-attention').map(golden => [golden.name, golden] as const))('%s', async (name, { tensors, metadata }) => {
  const get = (part: string): { readonly shape: readonly number[]; readonly data: Float64Array } => tensors.get(part)!;
  const q = get('q'), k = get('k'), v = get('v'), [batch, heads, queries, dim] = q.shape, [, kvHeads, keys] = k.shape, valueDim = v.shape[3];
  const softcap = Number(metadata['softcap']), scale = Number(metadata['scale']), windowed = Number(metadata['sliding_window']), causal = metadata['causal'] === 'True';
  const terms = [...(tensors.has('bias') ? [{ shape: get('bias').shape, data: Float32Array.from(get('bias').data), as: 'add' as const }] : []), ...(tensors.has('mask') ? [{ shape: get('mask').shape, data: Float32Array.from(get('mask').data), as: 'keep' as const }] : [])];
  const sink = tensors.has('sink_logits') ? Float32Array.from(get('sink_logits').data) : undefined;
  // −Σ p ln p over the keys: with a sink, what the golden entropy of all outcomes has without the sink's own term.
  const shares = tensors.has('sink_prob') ? get('sink_prob').data : undefined, entropy = shares ? get('entropy_with_sink_nats').data.map((all, n) => all + (shares[n] > 0 ? shares[n] * Math.log(shares[n]) : 0)) : get('entropy_keys_nats').data;
  const rule = { causal, offset: Number(metadata['causal_offset']), window: windowed ? [windowed - 1, -1] as const : null };
  const { visibility } = await measureMask({ site: name, batch, heads, queries, keys, rule, terms, claimed: { causal, window: null, padding: false, additive: false } });
  // The golden folder's own tolerances: x12 has logits of 640, x3 twice the rounding.
  const out = name.includes('x12') ? 1e-4 : name.includes('x3') ? 2e-5 : 1e-5, lse = name.includes('x12') ? 1e-3 : name.includes('x3') ? 2e-5 : 1e-5;

  it('the float64 twin', () => {
    const twin = referenceAttention({
      q: q.data, k: k.data, v: v.data, heads, kvHeads, queries, keys, dim, valueDim, scale, softcap, sink,
      sees: (h, i, j) => sees(visibility, 0, h, i, j), bias: (h, i, j) => biasAt(visibility, 0, h, i, j),
    });
    close(twin.out, get('out').data, out);
    close(twin.lse, get('lse').data, lse);
    close(twin.entropy, entropy, out);
    close(twin.received, get('column_sum').data, out);
    const best = get('topk_index').data, k0 = get('topk_index').shape[3];
    expect([...twin.maxKey]).toEqual(Array.from({ length: heads * queries }, (_, n) => best[n * k0]));
  });

  it('the kernels', async () => {
    const bare = storeSite(folder, { q, k, v }, { scale, softcap, visibility, sink });
    const live = countVisible(visibility, 0, 0, () => true).seen.map(seen => Math.min(1, seen));
    const got = await sampleStatistics(bare.view, 0, () => Uint8Array.from(live), async () => undefined);
    bare.close();
    close(got.lse, get('lse').data, lse);
    close(got.entropy, entropy, out);
    close(got.received, get('column_sum').data, out);
    const top = get('topk_index').data, best = get('topk_prob').data, k0 = get('topk_index').shape[3];
    for (let n = 0; n < heads * queries; n++) {
      expect(got.maxKey[n]).toBe(top[n * k0]);
      expect(Math.abs(got.max[n] - best[n * k0])).toBeLessThanOrEqual(out);
    }
    for (let h = 0; h < heads; h++) expect([...countVisible(visibility, 0, h, () => true).seeing]).toEqual([...get('visible_count').data.subarray(h * keys, (h + 1) * keys)]);

    const stored = storeSite(folder, { q, k, v, lse: got.lse }, { scale, softcap, visibility, sink });
    try {
      const rows = Array.from({ length: queries }, (_, i) => i), p = await cells(prepare({ view: stored.view, batch: 0, of: 'prob' }), rows, 0, keys, 0);
      const values = Float32Array.from({ length: keys * kvHeads * valueDim }, (_, n) => v.data[(Math.floor(n / valueDim) % kvHeads * keys + Math.floor(n / valueDim / kvHeads)) * valueDim + n % valueDim]);
      const mixed = await valuesBlock({ heads, kvHeads, rows: queries, keys, dim }, p, values, valueDim), expected = get('out').data;
      for (let h = 0; h < heads; h++) for (let i = 0; i < queries; i++) for (let d = 0; d < valueDim; d++) expect(Math.abs(mixed[(i * heads + h) * valueDim + d] - expected[(h * queries + i) * valueDim + d])).toBeLessThanOrEqual(out);
      const [, , height, width] = get('pooled_max').shape;
      for (let h = 0; h < heads; h++) {
        const tile = await computeTile({ view: stored.view, batch: 0, head: h, rows: [0, queries], cols: [0, keys], height, width, of: 'prob', reduce: 'max' });
        close(tile.data.map(value => (Number.isNaN(value) ? 0 : value)), get('pooled_max').data.subarray(h * height * width, (h + 1) * height * width), out);
      }
    } finally { stored.close(); }
  });
});
