/** Squares of a long map: whatever picture is asked for first, every coarser one has the numbers of float64 probabilities, renormalised or with a key left out. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { coarser, finished, type Pooled } from '../../../extension/engine/analysis/pooled-blocks.ts';
import { computeTile } from '../../../extension/engine/analysis/tile.ts';
import { storeSite } from '../../golden/stored-site.ts';
import { randomNumbers } from './synthetic.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-squares-')), T = 8300, dim = 8;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const random = randomNumbers(7), normal = (): Float32Array => Float32Array.from({ length: T * dim }, () => (random() + random() + random() - 1.5) * 3);
const q = normal(), k = normal(), scale = 1 / Math.sqrt(dim);
const score = (i: number, j: number): number => { let sum = 0; for (let d = 0; d < dim; d++) sum += q[i * dim + d] * k[j * dim + d]; return sum * scale; };
const lse = Float64Array.from({ length: T }, (_, i) => { let sum = 0; for (let j = 0; j <= i; j++) sum += Math.exp(score(i, j)); return Math.log(sum); });
const { view, close } = storeSite(folder, { q: { shape: [1, 1, T, dim], data: q }, k: { shape: [1, 1, T, dim], data: k }, lse: Float32Array.from(lse) }, { scale, visibility: { batch: 1, heads: 1, queries: T, keys: T, rule: { causal: true, offset: 0, window: null } } });
afterAll(close);

/** Cell (r, c) of a picture of `size` × `size` over the cells `rows` and `cols` (positions). */
function expected(rows: readonly number[], cols: readonly number[], size: number, r: number, c: number, reduce: 'mean' | 'max', without?: number): number {
  const by = rows.length / size;
  let sum = 0, seen = 0, top = NaN;
  for (let n = r * by; n < (r + 1) * by; n++) for (let m = c * by; m < (c + 1) * by; m++) {
    const [i, j] = [rows[n], cols[m]];
    if (j > i) continue;
    const p = Math.exp(score(i, j) - lse[i]) / (without === undefined ? 1 : 1 - Math.exp(score(i, without) - lse[i]));
    seen++;
    sum += p;
    if (!(p <= top)) top = p;
  }
  return !seen ? NaN : reduce === 'max' ? top : sum / seen;
}

describe.each([['max'], ['mean']] as const)('%s', reduce => {
  it.each([['on the diagonal', 4096, 4096], ['below it', 4096, 0], ['ahead of it', 0, 4096]] as const)('a square %s, from coarse to fine and back', async (_, row, col) => {
    const all = (from: number): number[] => Array.from({ length: 4096 }, (_, n) => from + n), rows = all(row), cols = all(col);
    for (const size of [16, 256, 64, 512, 32]) {
      const tile = await computeTile({ view, batch: 0, head: 0, rows: [row, row + 4096], cols: [col, col + 4096], height: size, width: size, of: 'prob', reduce });
      expect(tile.data).toHaveLength(size * size);
      for (const [r, c] of [[0, 0], [size - 1, size - 1], [size >> 1, size >> 1], [size >> 1, (size >> 1) + 1], [3, size - 2], [size - 2, 1]]) {
        const wanted = expected(rows, cols, size, r, c, reduce), got = tile.data[r * size + c];
        if (Number.isNaN(wanted)) expect(got, `${size}: ${r}, ${c}`).toBeNaN(); else expect(Math.abs(got - wanted), `${size}: ${r}, ${c}: ${got} for ${wanted}`).toBeLessThan(1e-6 + 2e-5 * wanted);
      }
    }
  });
  it('a key left out moves the cells behind it by one; renormalised, rows are divided by the rest; what is kept of the plain square is not mistaken for it', async () => {
    const rows = Array.from({ length: 4096 }, (_, n) => 4096 + n), cols = Array.from({ length: 4096 }, (_, n) => n + (n >= 5 ? 1 : 0)), join_ = { rows: rows.flatMap(at => [at, at + 1]), cols: cols.flatMap(at => [at, at + 1]) };
    for (const without of [undefined, 5]) for (const size of [64, 16]) {
      const tile = await computeTile({ view, batch: 0, head: 0, rows: [4096, 8192], cols: [0, 4097], height: size, width: size, of: 'prob', reduce, join: join_, ...(without === undefined ? {} : { without: [without] }) });
      for (const [r, c] of [[0, 0], [size - 1, size - 1], [7, 3]]) {
        const wanted = expected(rows, cols, size, r, c, reduce, without), got = tile.data[r * size + c];
        expect(Math.abs(got - wanted), `${without} ${size}: ${r}, ${c}: ${got} for ${wanted}`).toBeLessThan(1e-6 + 1e-4 * wanted);
      }
    }
  });
});

it('the last tiles of a map, which are no squares, are pooled as asked', async () => {
  const tile = await computeTile({ view, batch: 0, head: 0, rows: [8192, T], cols: [4096, 8192], height: 2, width: 64, of: 'prob', reduce: 'max' });
  let top = 0;
  for (let i = 8192; i < 8246; i++) for (let j = 4096; j < 4160; j++) top = Math.max(top, Math.exp(score(i, j) - lse[i]));
  expect(tile.data[0]).toBeCloseTo(top, 6);
});

it('coarser pictures of a picture: sums and counts add up, a texel without a visible cell stays hidden', () => {
  const block: Pooled = { height: 4, width: 4, values: Float32Array.from({ length: 16 }, (_, n) => (n % 4 > 1 && n < 8 ? -Infinity : n)), counts: Float32Array.from({ length: 16 }, (_, n) => (n % 4 > 1 && n < 8 ? 0 : 2)) };
  expect([...finished(coarser(block, 2, 'max'), 'max')]).toEqual([5, NaN, 13, 15]);
  const sums = { ...block, values: block.values.map(value => Math.max(0, value)) };
  expect([...finished(coarser(sums, 2, 'mean'), 'mean')]).toEqual([10 / 8, NaN, 42 / 8, 50 / 8]);
});
