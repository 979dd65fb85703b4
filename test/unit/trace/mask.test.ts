/** Masks: recognised exactly where a rule says it, kept as a tensor where none does; always the same cells. */
import { describe, expect, it } from 'vitest';
import { measureMask, type MaskInput, type MeasuredMask } from '../../../extension/engine/trace/mask.ts';
import { biasAt, countVisible, sees } from '../../../extension/engine/trace/visibility.ts';

const open = { causal: false, offset: 0, window: null };
const claimed = { causal: false, window: null, padding: false, additive: false };
type Cell = (b: number, h: number, i: number, j: number) => number;

/** Measures the additive mask that `cell` gives, and checks every cell of what comes back. */
async function measure(shape: readonly [number, number, number, number], cell: Cell, more: Partial<MaskInput> & { readonly scores?: readonly [number, number, number, number] } = {}): Promise<MeasuredMask> {
  const [B, H, Q, K] = shape, [batch, heads, queries, keys] = more.scores ?? shape, data = new Float32Array(B * H * Q * K);
  for (let b = 0, n = 0; b < B; b++) for (let h = 0; h < H; h++) for (let i = 0; i < Q; i++) for (let j = 0; j < K; j++) data[n++] = cell(b, h, i, j);
  const got = await measureMask({ site: 'blocks.0.attn', batch, heads, queries, keys, rule: open, terms: [{ shape, data, as: 'add' }], claimed, ...more });
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) for (let i = 0; i < queries; i++) for (let j = 0; j < keys; j++) {
    const value = cell(b % B, H === 1 ? 0 : h, Q === 1 ? 0 : i, K === 1 ? 0 : j), visible = value > -1e4;
    const ruled = more.rule && (more.rule.causal && j > i + more.rule.offset || more.rule.window && more.rule.window[0] >= 0 && j < i + more.rule.offset - more.rule.window[0]);
    expect(sees(got.visibility, b, h, i, j), `${b} ${h} ${i} ${j}`).toBe(visible && !ruled);
    if (visible && !ruled) expect(biasAt(got.visibility, b, h, i, j)).toBe(Math.fround(value) + 0);
  }
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) {
    const all = (n: number): readonly number[] => Array.from({ length: n }, (_, x) => x), { seen, seeing } = countVisible(got.visibility, b, h, i => i !== 1);
    expect([...seen]).toEqual(all(queries).map(i => all(keys).filter(j => sees(got.visibility, b, h, i, j)).length));
    expect([...seeing]).toEqual(all(keys).map(j => all(queries).filter(i => i !== 1 && sees(got.visibility, b, h, i, j)).length));
  }
  return got;
}
const lowest = -3.4028234663852886e38;

describe('recognised', async () => {
  it('causal', async () => {
    const { visibility, shape } = await measure([1, 1, 7, 7], (_b, _h, i, j) => (j <= i ? 0 : lowest));
    expect(visibility).toMatchObject({ rule: { causal: true, offset: 0, window: null } });
    expect(visibility.visibleKeys ?? visibility.bias).toBeUndefined();
    expect(shape).toEqual({ causal: true, window: null, padding: false, additive: false });
  });
  it('causal behind a cache', async () => {
    expect((await measure([1, 1, 3, 9], (_b, _h, i, j) => (j <= i + 6 ? 0 : -Infinity))).visibility.rule).toEqual({ causal: true, offset: 6, window: null });
  });
  it('causal with left padding in one sample and right padding in the other', async () => {
    const pad = [[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]];
    const { visibility, shape } = await measure([3, 1, 6, 6], (b, _h, i, j) => (j <= i && pad[b][j] ? 0 : -10000));
    expect(visibility.rule).toEqual({ causal: true, offset: 0, window: null });
    expect([...visibility.visibleKeys!]).toEqual(pad.flat());
    expect(visibility.bias).toBeUndefined();
    expect(shape).toEqual({ causal: true, window: null, padding: true, additive: false });
    expect([...countVisible(visibility, 1, 0, () => true).seen]).toEqual([0, 0, 1, 2, 3, 4]);
    expect([...countVisible(visibility, 1, 0, (_, seen) => seen > 0).seeing]).toEqual([0, 0, 4, 3, 2, 1]);
  });
  it('a causal window', async () => {
    const { visibility, shape } = await measure([1, 1, 9, 9], (_b, _h, i, j) => (j <= i && i - j < 4 ? 0 : lowest));
    expect(visibility.rule).toEqual({ causal: true, offset: 0, window: [3, -1] });
    expect(shape.window).toBe(4);
  });
  it('a window to both sides', async () => {
    const { visibility, shape } = await measure([1, 1, 9, 9], (_b, _h, i, j) => (j - i <= 2 && i - j <= 3 ? 0 : lowest));
    expect(visibility.rule).toEqual({ causal: false, offset: 0, window: [3, 2] });
    expect(shape).toEqual({ causal: false, window: [3, 2], padding: false, additive: false });
  });
  it('keys only, broadcast over queries', async () => {
    const { visibility } = await measure([2, 1, 1, 5], (b, _h, _i, j) => (b === 1 && j > 2 ? lowest : 0), { scores: [2, 3, 4, 5] });
    expect([...visibility.visibleKeys!]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  });
  it('nothing at all', async () => {
    const { visibility, shape } = await measure([1, 1, 4, 4], () => 0);
    expect(visibility).toEqual({ batch: 1, heads: 1, queries: 4, keys: 4, rule: open });
    expect(shape.causal).toBe(false);
  });
  it('one query: the recogniser\'s word stays', async () => {
    expect((await measure([1, 1, 1, 5], () => 0, { claimed: { ...claimed, causal: true } })).shape.causal).toBe(true);
  });
  it('the operator\'s own rule beside a key mask', async () => {
    const { visibility } = await measure([2, 1, 1, 4], (b, _h, _i, j) => (b === 1 && j === 0 ? lowest : 0), { scores: [2, 2, 4, 4], rule: { causal: true, offset: 0, window: null } });
    expect(visibility.rule).toEqual({ causal: true, offset: 0, window: null });
  });
  it('booleans that keep or drop, and a mask shorter than the keys', async () => {
    const got = await measureMask({ site: 's', batch: 1, heads: 1, queries: 2, keys: 4, rule: open, claimed, terms: [{ shape: [1, 1, 2, 3], data: Float32Array.of(1, 1, 0, 1, 1, 1), as: 'keep' }, { shape: [4], data: Float32Array.of(1, 0, 0, 0), as: 'drop' }] });
    expect([0, 1].map(i => [0, 1, 2, 3].map(j => sees(got.visibility, 0, 0, i, j)))).toEqual([[false, true, false, false], [false, true, true, false]]);
  });
});

describe('kept as a tensor', async () => {
  it('a bias by head and key under a causal rule is as small as it can be', async () => {
    const { visibility, shape } = await measure([1, 4, 8, 8], (_b, h, i, j) => (j <= i ? -0.25 * (h + 1) * j : lowest));
    expect(visibility.rule.causal).toBe(true);
    expect(visibility.bias!.dims).toEqual([1, 4, 1, 8]);
    expect(shape).toEqual({ causal: true, window: null, padding: false, additive: true });
  });
  it('a relative bias keeps both positions', async () => {
    expect((await measure([1, 2, 5, 5], (_b, h, i, j) => (h + 1) * Math.abs(i - j) * 0.5)).visibility.bias!.dims).toEqual([1, 2, 5, 5]);
  });
  it('cells that no rule gives, and what they look like for real rows', async () => {
    // As exporters do with left padding: rows of padding see everything.
    const pad = [[1, 1, 1, 1], [0, 0, 1, 1]];
    const { visibility, shape } = await measure([2, 1, 4, 4], (b, _h, i, j) => (!pad[b][i] || j <= i && pad[b][j] ? 0 : lowest), { real: (b, i) => pad[b][i] === 1 });
    expect(visibility.bias!.dims).toEqual([2, 1, 4, 4]);
    expect(shape).toEqual({ causal: true, window: null, padding: true, additive: false });
  });
  it('cells that differ from head to head', async () => {
    const { visibility } = await measure([1, 2, 4, 4], (_b, h, i, j) => ((i + j + h) % 2 ? lowest : 0));
    expect(visibility.bias!.dims).toEqual([1, 2, 4, 4]);
    expect(countVisible(visibility, 0, 1, () => true)).toEqual({ seen: Int32Array.of(2, 2, 2, 2), seeing: Int32Array.of(2, 2, 2, 2) });
  });
  it('random masks and biases', async () => {
    let seed = 7;
    const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    for (let n = 0; n < 200; n++) {
      const full = [1 + Math.floor(random() * 3), 1 + Math.floor(random() * 3), 1 + Math.floor(random() * 5), 1 + Math.floor(random() * 5)] as const;
      const shape = full.map((dim, axis) => (axis < 3 && random() < 0.3 ? 1 : dim)) as unknown as readonly [number, number, number, number], table = Array.from({ length: 625 }, () => (random() < 0.3 ? [lowest, -1e4, -Infinity][Math.floor(random() * 3)] : random() < 0.5 ? 0 : random() - 0.5));
      const rule = { causal: random() < 0.3, offset: Math.floor(random() * 3), window: random() < 0.2 ? [1, -1] as const : null };
      await measure(shape, (b, h, i, j) => table[((b * 5 + h) * 5 + i) * 5 + j], { scores: full, rule });
    }
  });
});

it('a mask that does not fit is refused', async () => {
  await expect(measureMask({ site: 'blocks.3.attn', batch: 2, heads: 4, queries: 5, keys: 5, rule: open, claimed, terms: [{ shape: [3, 1, 5, 5], data: new Float32Array(75), as: 'add' }] }))
    .rejects.toThrow('The mask of blocks.3.attn has shape [3, 1, 5, 5], which does not fit scores of shape [2, 4, 5, 5].');
});
