/** The secondary-sink metric against a float64 reading of the authors' score. */
import { describe, expect, it } from 'vitest';
import { sinks } from '../../extension/engine/metrics/sink.ts';
import { goldenCases } from './cases.ts';

const cases = goldenCases('secondary-sinks', 'sink_score');
it('has cases, unless others are selected', () => expect(cases.length > 0 || process.env['ATTNSCOPE_ONLY'] !== undefined).toBe(true));

describe.each(cases.map(golden => [golden.name, golden] as const))('%s', (_, { tensors }) => {
  it('largest score of a later key, and that key', () => {
    const { shape: [heads, queries], data: scores } = tensors.get('score_per_head_excl')!, attn = tensors.get('attn')!.data, rows = Array.from({ length: queries }, (_, i) => i);
    for (let h = 0; h < heads; h++) {
      const p = (i: number, j: number): number => attn[(h * queries + i) * queries + j], ofRows = (value: (i: number) => number): Float32Array => Float32Array.from(rows, value), nothing = ofRows(() => 0);
      const head = {
        queries, keys: queries, offset: 0, self: true, live: new Uint8Array(queries).fill(1), liveRows: queries, firstKey: 0, entropy: nothing, max: nothing, distance: 0, squared: 0,
        received: ofRows(j => rows.reduce((sum, i) => sum + p(i, j), 0)), seeing: Int32Array.from(rows, j => queries - j), seen: Int32Array.from(rows, i => i + 1), onSelf: ofRows(i => p(i, i)),
      };
      // Behind the first key, and seen by at least eight later queries.
      const counted = Array.from(scores.subarray(h * queries + 1, (h + 1) * queries - 8)), most = Math.max(...counted);
      expect(Math.abs(sinks.secondarySink!.measure(head) - most)).toBeLessThanOrEqual(1e-6);
      expect(sinks.secondarySinkKey!.measure(head)).toBe(counted.indexOf(most) + 1);
    }
  });
});
