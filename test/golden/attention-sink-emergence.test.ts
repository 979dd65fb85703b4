/** The sink metric against the authors' own function on maps of several samples, layers and heads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sampleStatistics } from '../../extension/engine/compute/statistics.ts';
import { sinks } from '../../extension/engine/metrics/sink.ts';
import { PartWriter } from '../../extension/engine/trace/part-writer.ts';
import { openForReading } from '../../extension/engine/trace/safetensors.ts';
import { viewSite } from '../../extension/engine/trace/site-view.ts';
import { TensorStore } from '../../extension/engine/trace/tensor-store.ts';
import { countVisible, type Visibility } from '../../extension/engine/trace/visibility.ts';
import { goldenCases } from './cases.ts';
import { plainSite } from './stored-site.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-sink-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cases = goldenCases('attention-sink-emergence', 'metric_');
it('has cases, unless others are selected', () => expect(cases.length > 0 || process.env['ATTNSCOPE_ONLY'] !== undefined).toBe(true));

describe.each(cases.map(golden => [golden.name, golden] as const))('%s', (name, { tensors }) => {
  it('importance, sink and its share', async () => {
    const attn = tensors.get('attn')!, importance = tensors.get('importance')!.data, [samples, layers, heads, queries] = attn.shape;
    const file = join(folder, `${name.replace('/', '-')}.part`), writer = PartWriter.create(file);
    writer.append(`${plainSite.name}.hook_pattern`, 'F32', [samples * layers, heads, queries, queries], Float32Array.from(attn.data));
    writer.close();
    const store = new TensorStore(file, openForReading(file), new Map(Object.entries(writer.tensors)));
    const visibility: Visibility = { batch: samples * layers, heads, queries, keys: queries, rule: { causal: true, offset: 0, window: null } };
    const view = viewSite(store, plainSite, visibility), live = new Uint8Array(queries).fill(1);
    const over = Object.fromEntries([0.1, 0.2, 0.3, 0.4, 0.5].map(eps => [eps, new Float64Array(queries)]));
    for (let b = 0; b < samples * layers; b++) {
      const got = await sampleStatistics(view, b, () => live, async () => undefined), { seeing, seen } = countVisible(visibility, b, 0, () => true);
      for (let h = 0; h < heads; h++) {
        const alpha = Array.from({ length: queries }, (_, j) => got.received[h * queries + j] / seeing[j]), authors = importance.subarray((b * heads + h) * queries, (b * heads + h + 1) * queries);
        // float32 sums of at most 48 terms: the authors' own tolerance.
        alpha.forEach((value, j) => expect(Math.abs(value - authors[j])).toBeLessThanOrEqual(1e-6));
        for (const eps in over) alpha.forEach((value, j) => { if (value > Number(eps)) over[eps][j]++; });
        const slice = <T extends Float32Array>(of: T, n: number): Float32Array => of.subarray(h * n, (h + 1) * n);
        const head = { queries, keys: queries, offset: 0, self: true, live, liveRows: queries, firstKey: 0, entropy: slice(got.entropy, queries), max: slice(got.max, queries), distance: got.distance[h], squared: got.squared[h], received: slice(got.received, queries), seeing, seen };
        // Keys that fewer than 8 rows see are not counted: one peaky last row is no sink.
        const counted = Array.from(authors.subarray(0, queries - 7)), most = Math.max(...counted);
        expect(Math.abs(sinks.sink!.measure(head) - most)).toBeLessThanOrEqual(1e-6);
        expect(sinks.sinkKey!.measure(head)).toBe(counted.indexOf(most));
      }
    }
    for (const eps in over) {
      const authors = tensors.get(`sink_pct_eps${eps}`)!.data;
      // Percentages are exact unless an importance lies within 1e-6 of the threshold; none of these does. Their mean is a float32.
      over[eps].forEach((count, j) => expect(Math.abs(count / (samples * layers * heads) * 100 - authors[j])).toBeLessThanOrEqual(1e-4));
    }
    store.close();
  });
});
