/** The largest |q·k| against every pair multiplied in turn, and what is said where there is no time for that. */
import { describe, expect, it } from 'vitest';
import { largestProduct, lengthsAtLeast, lengthsOf, productBound, type Rows } from '../../../extension/engine/compute/largest-product.ts';
import { randomNumbers } from '../analysis/synthetic.ts';

const dim = 7;
function rowsOf(seed: number, count: number, heads: number, head: number, spread: (row: number) => number): Rows {
  const random = randomNumbers(seed), data = Float32Array.from({ length: count * heads * dim }, (_, x) => (random() - 0.5) * spread(Math.floor(x / heads / dim))), lengths = new Float64Array(count * heads);
  lengthsOf(data, dim, lengths, 0);
  return { data, step: heads * dim, base: head * dim, lengths, count: heads, head, rows: count };
}
function brute(q: Rows, k: Rows): { readonly value: number; readonly query: number; readonly key: number } {
  let best = { value: -1, query: -1, key: -1 };
  for (let i = 0; i < q.rows; i++) for (let j = 0; j < k.rows; j++) {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += q.data[i * q.step + q.base + d] * k.data[j * k.step + k.base + d];
    if (Math.abs(sum) > best.value) best = { value: Math.abs(sum), query: i, key: j };
  }
  return best;
}

describe('the largest |q·k|', () => {
  it.each([1, 2, 3, 4, 5])('is that of all pairs (seed %i)', seed => {
    // Rows of very different lengths, so that most pairs are left out.
    const q = rowsOf(seed, 40, 3, 1, row => 1 + (row * seed) % 9), k = rowsOf(seed + 50, 33, 2, 0, row => 1 + (row * 5) % 7), wanted = brute(q, k);
    let multiplied = 0;
    const found = largestProduct(q, k, dim, 0, n => { multiplied += n; return true; })!;
    expect(found).toMatchObject({ exact: true, query: wanted.query, key: wanted.key });
    expect(found.value).toBeCloseTo(wanted.value, 10);
    expect(productBound(q, k)).toBeGreaterThanOrEqual(wanted.value);
    expect(multiplied).toBeLessThan(40 * 33 * dim);
  });
  it('is not looked for beneath what is known, nor among rows that are no numbers', () => {
    const q = rowsOf(1, 10, 1, 0, () => 1), k = rowsOf(2, 10, 1, 0, () => 1);
    expect(largestProduct(q, k, dim, 1e6, () => true)).toBeUndefined();
    q.data[3 * dim] = NaN;
    k.data[4 * dim + 2] = Infinity;
    lengthsOf(q.data, dim, q.lengths, 0);
    lengthsOf(k.data, dim, k.lengths, 0);
    const found = largestProduct(q, k, dim, 0, () => true)!;
    expect(found.value).toBeLessThan(Infinity);
    expect([found.query === 3, found.key === 4]).toEqual([false, false]);
    expect(productBound(q, k)).toBeLessThan(Infinity);
  });
  it('is bounded where there is no time', () => {
    const q = rowsOf(7, 64, 1, 0, () => 2), k = rowsOf(8, 64, 1, 0, () => 2), { value } = brute(q, k);
    expect(largestProduct(q, k, dim, 0, () => false)).toEqual({ value: productBound(q, k), exact: false });
    let asked = 0;
    const later = largestProduct(q, k, dim, 0, () => ++asked < 4)!;
    expect(later.exact).toBe(false);
    expect(later.value).toBeGreaterThanOrEqual(value);
    expect(later.value).toBeLessThanOrEqual(productBound(q, k));
  });
  it('lengths are finite exactly where every number is', () => {
    const lengths = new Float64Array(3);
    lengthsOf(Float32Array.from([3e38, 3e38, -3e38, 0, NaN, 1, 3, 4, 0]), 3, lengths, 0);
    expect([lengths[0] > 3e38 && lengths[0] < Infinity, Number.isNaN(lengths[1]), lengths[2]]).toEqual([true, true, 5]);
  });
});

describe('lengths on all cores', () => {
  it('are no shorter than those in double precision and hardly longer, whatever the range', async () => {
    const random = randomNumbers(3), rows = 301, data = Float32Array.from({ length: rows * dim }, (_, x) => (random() - 0.5) * 10 ** ((Math.floor(x / dim) % 50) - 16)), exact = new Float64Array(rows), least = new Float64Array(rows);
    data[5 * dim + 2] = NaN;
    data[9 * dim] = -Infinity;
    lengthsOf(data, dim, exact, 0);
    await lengthsAtLeast(data, dim, least, 0);
    for (let r = 0; r < rows; r++) {
      if (!Number.isFinite(exact[r])) { expect(Number.isFinite(least[r])).toBe(false); continue; }
      expect(least[r]).toBeGreaterThanOrEqual(exact[r]);
      expect(least[r]).toBeLessThanOrEqual(exact[r] * (1 + 2 ** -17));
    }
    expect(Math.max(...exact.filter(Number.isFinite))).toBeGreaterThan(1e30);
  });
});
