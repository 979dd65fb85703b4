/** The sink metric against the authors' compute_attention_sink, through stored patterns as a trace has them. */
import { describe, expect, it } from 'vitest';
import { sampleStatistics } from '../../extension/engine/compute/statistics.ts';
import type { HeadView } from '../../extension/engine/metrics/metric.ts';
import { minRows, sinks } from '../../extension/engine/metrics/sink.ts';
import { rowsSeeing } from '../../extension/engine/trace/visibility.ts';
import { goldenNames, readGolden } from './cases.ts';
import { storeSite } from './stored-site.ts';

const names = goldenNames('attention-sink-emergence', 'metric_');
describe.runIf(names.length)('attention-sink-emergence', () => {
  it.each(names)('%s', async file => {
    const { tensors } = readGolden('attention-sink-emergence', file), attn = tensors.get('attn')!, importance = tensors.get('importance')!.data;
    const [samples, layers, heads, T] = attn.shape, over = new Map<string, Float64Array>();
    for (let s = 0; s < samples; s++) for (let l = 0; l < layers; l++) {
      const at = (s * layers + l) * heads * T * T, rule = { causal: true, offset: 0, window: null } as const;
      const visibility = { batch: 1, heads, queries: T, keys: T, rule };
      const { view, close } = storeSite({ hook_pattern: { shape: [1, heads, T, T], data: attn.data.subarray(at, at + heads * T * T) } }, { capture: 'softmax-only', scale: null }, visibility);
      const live = new Uint8Array(T).fill(1), found = await sampleStatistics(view, 0, () => live, async () => undefined);
      close();
      const seeing = rowsSeeing(visibility, 0, 0, live);
      for (let h = 0; h < heads; h++) {
        const received = found.received.subarray(h * T, (h + 1) * T), theirs = importance.subarray(((s * layers + l) * heads + h) * T, ((s * layers + l) * heads + h + 1) * T);
        // README of the golden folder: 1e-6.
        for (let j = 0; j < T; j++) expect(Math.abs(received[j] / seeing[j] - theirs[j])).toBeLessThan(1e-6);
        const head = { keys: T, queries: T, seeing, received, firstKey: 0 } as HeadView;
        const eligible = [...theirs].map((alpha, j) => (T - j >= minRows ? alpha : -1)), best = eligible.indexOf(Math.max(...eligible));
        expect(sinks.sink!.measure(head)).toBeCloseTo(theirs[best], 6);
        expect(sinks.sinkKey!.measure(head)).toBe(best);
        for (const eps of ['0.1', '0.2', '0.3', '0.4', '0.5']) {
          const counts = over.get(eps) ?? new Float64Array(T);
          for (let j = 0; j < T; j++) if (received[j] / seeing[j] > Number(eps)) counts[j]++;
          over.set(eps, counts);
        }
      }
    }
    for (const [eps, counts] of over) {
      const theirs = tensors.get(`sink_pct_eps${eps}`)!.data;
      counts.forEach((count, j) => {
        const near = Array.from({ length: samples * layers * heads }, (_, n) => importance[n * T + j]).some(alpha => Math.abs(alpha - Number(eps)) < 1e-6);
        if (!near) expect(100 * count / (samples * layers * heads)).toBeCloseTo(theirs[j], 3);
      });
    }
  });
});
