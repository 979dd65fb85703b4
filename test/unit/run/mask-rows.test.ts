/** Masks put together from pieces of rows: rules are found exactly, what is none is kept, and what is too large is refused. */
import { describe, expect, it } from 'vitest';
import { MaskRows, type WholeMask } from '../../../extension/engine/run/taps/mask-rows.ts';

const none = { causal: false, window: null } as const;
/** Feeds `sees` to a mask in pieces that end at `ends`, as additive masks. */
function whole(ends: readonly number[], value: (b: number, h: number, i: number, j: number) => number, { batch = 1, heads = 1 } = {}): WholeMask {
  const rows = new MaskRows('blocks.0.attn', batch);
  let start = 0;
  for (const to of ends) {
    const queries = to - start, data = new Float32Array(batch * heads * queries * to);
    for (let b = 0, at = 0; b < batch; b++) for (let h = 0; h < heads; h++) for (let i = start; i < to; i++) for (let j = 0; j < to; j++, at++) data[at] = value(b, h, i, j);
    rows.add({ start, queries, keys: to, rule: none, terms: [{ dims: [batch, heads, queries, to], data, as: 'add' }] });
    start = to;
  }
  return rows.whole(start);
}
const lowest = -3.4e38, causal = (i: number, j: number): number => (j <= i ? 0 : lowest);

describe('rules', () => {
  it('causal, at once or row by row', () => {
    const rule = { rule: { causal: true, offset: 0, window: null } };
    expect(whole([7], (b, h, i, j) => causal(i, j))).toEqual(rule);
    expect(whole([3, 4, 5, 6], (b, h, i, j) => causal(i, j))).toEqual(rule);
    expect(whole([1, 2], (b, h, i, j) => causal(i, j))).toEqual(rule);
  });
  it('a window that only later rows show', () => {
    expect(whole([3, 4, 5, 6, 7], (b, h, i, j) => (i - j > 3 ? lowest : causal(i, j)))).toEqual({ rule: { causal: true, offset: 0, window: [3, -1] } });
  });
  it('padding on the left of one sample, within a window', () => {
    const found = whole([4, 6, 7], (b, h, i, j) => (b === 1 && j < 2 || i - j > 3 ? lowest : causal(i, j)), { batch: 2 });
    expect(found.rule).toEqual({ causal: true, offset: 0, window: [3, -1] });
    expect([...found.keys!]).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
  });
  it('the operator\'s own rule without a mask; one row of booleans for all queries', () => {
    const rows = new MaskRows('blocks.0.attn', 1);
    rows.add({ start: 0, queries: 3, keys: 3, rule: { causal: true, window: [1, -1] }, terms: [] });
    rows.add({ start: 3, queries: 1, keys: 4, rule: { causal: true, window: [1, -1] }, terms: [{ dims: [1, 1, 1, 4], data: [1, 1, 1, 1], as: 'keep' }] });
    expect(rows.whole(4)).toEqual({ rule: { causal: true, offset: 0, window: [1, -1] } });
  });
});

describe('no rule', () => {
  const at = ({ added }: WholeMask, h: number, i: number, j: number): number => added!.data[(h * added!.dims[2] + i) * added!.dims[3] + j];
  it('keeps what is added, per head, and hides keys that were yet to come', () => {
    const found = whole([2, 3], (b, h, i, j) => (j <= i ? -(h + 1) * (i - j) : lowest), { heads: 2 });
    expect(found.added!.dims).toEqual([1, 2, 3, 3]);
    expect([at(found, 0, 2, 0), at(found, 1, 2, 0), at(found, 1, 2, 1), at(found, 0, 0, 2)]).toEqual([-2, -4, -2, -Infinity]);
  });
  it('a key that one row leaves out', () => {
    const found = whole([3, 4], (b, h, i, j) => (i === 3 && j === 1 ? lowest : causal(i, j)));
    expect(found.rule.causal).toBe(false);
    expect([at(found, 0, 3, 1) <= -1e4, at(found, 0, 3, 0), at(found, 0, 1, 1)]).toEqual([true, 0, 0]);
  });
  it('rows of one piece see each other both ways', () => {
    const found = whole([2, 3], (b, h, i, j) => 0);
    expect([at(found, 0, 0, 1), at(found, 0, 1, 2)]).toEqual([0, -Infinity]);
  });
  it('refuses a shape that does not fit', () => {
    const rows = new MaskRows('blocks.0.attn', 1);
    expect(() => rows.add({ start: 0, queries: 2, keys: 2, rule: none, terms: [{ dims: [1, 1, 3, 3], data: new Float32Array(9), as: 'add' }] })).toThrow('The mask of blocks.0.attn has shape [1, 1, 3, 3], which does not fit 2 queries of 2 keys.');
  });
});
