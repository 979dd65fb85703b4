/** Tiles of words, with tokens left out and rows renormalised, against sums over the float64 twin, at every zoom. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tile } from '../../../extension/contract/api.ts';
import { UserError } from '../../../extension/contract/errors.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { OpenTraces } from '../../../extension/engine/analysis/open-traces.ts';
import { computeTile, type TileOf } from '../../../extension/engine/analysis/tile.ts';
import { bandOf, joinRow } from '../../../webview/marks/bands.ts';
import { randomNumbers, syntheticCapture, type Synthetic, type Wanted } from './synthetic.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-joined-')), traces = new OpenTraces(), T = 70;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
type Runs = readonly (readonly [number, number])[];

interface Case extends Synthetic { readonly tile: (more: Omit<TileOf, 'view' | 'batch' | 'head' | 'of' | 'reduce'> & { readonly reduce?: 'max' | 'mean' }) => Promise<Tile> }
async function open(name: string, wanted: Wanted): Promise<Case> {
  const made = syntheticCapture(folder, name, wanted), { file } = await completeCapture({ out: made.out }), { trace } = traces.open(file), view = traces.view(trace, 'blocks.0.attn');
  return { ...made, tile: more => computeTile({ batch: 0, head: 1, of: 'prob', reduce: 'max', ...more, view }) };
}

/** The definition, from the twin's probabilities. */
function wanted({ twins, sees }: Synthetic, rows: Runs, cols: Runs, without: readonly number[], size: { readonly height: number; readonly width: number }): Float64Array {
  const p = (i: number, j: number): number => (sees(0, 1, i, j) ? twins[0].probs[(T + i) * T + j] : NaN), out = new Float64Array(size.height * size.width).fill(NaN);
  rows.forEach(([r0, r1], r) => cols.forEach(([c0, c1], c) => {
    let sum = 0, live = 0, seen = false;
    for (let i = r0; i < r1; i++) {
      let rest = 0, any = false;
      for (let j = 0; j < T; j++) if (!Number.isNaN(p(i, j))) { any = true; if (!without.includes(j)) rest += p(i, j); }
      if (!any || (without.length && !(rest > 0))) continue;
      live++;
      for (let j = c0; j < c1; j++) if (!Number.isNaN(p(i, j))) { seen = true; sum += p(i, j) / (without.length ? rest : 1); }
    }
    const at = Math.floor(r * size.height / rows.length) * size.width + Math.floor(c * size.width / cols.length);
    if (live && seen && !(out[at] >= sum / live)) out[at] = sum / live;
  }));
  return out;
}

function expectClose(tile: Tile, expected: Float64Array, tolerance: number): void {
  expect(tile.data).toHaveLength(expected.length);
  expected.forEach((value, n) => {
    if (Number.isNaN(value)) expect(tile.data[n], `cell ${n}`).toBeNaN();
    // Sums of float32 probabilities; divided by a rest, as exact as the rest.
    else expect(Math.abs(tile.data[n] - value), `cell ${n}: ${tile.data[n]} for ${value}`).toBeLessThan(tolerance * Math.max(1, value));
  });
}

/** Runs of one to four positions; about one in six positions is in none. */
function runs(seed: number): Runs {
  const random = randomNumbers(seed), found: [number, number][] = [];
  for (let at = 0; at < T;) { const length = Math.min(T - at, 1 + Math.floor(random() * 4)); if (random() > 0.16) found.push([at, at + length]); at += length; }
  return found;
}
const singles: Runs = Array.from({ length: T }, (_, i) => [i, i + 1] as const);

describe.each([
  ['causal', { queries: T }],
  ['both ways', { queries: T, rule: { causal: false, offset: 0, window: null } }],
  ['window', { queries: T, rule: { causal: true, offset: 0, window: [9, -1] } }],
  ['padded', { queries: T, mask: (_b: number, _h: number, i: number, j: number) => (j < 5 || j > i ? -1e9 : 0), real: [Array.from({ length: T }, (_, i) => (i < 5 ? 0 : 1))] }],
  ['float16', { queries: T, dtype: 'F16' }],
] as const)('%s', (name, wants) => {
  let open_: Case;
  beforeAll(async () => { open_ = await open(`joined-${name.replaceAll(' ', '')}`, wants as unknown as Wanted); });
  // Stored half floats move probabilities by their own rounding.
  const half = name === 'float16', close = (tile: Tile, twin: Float64Array): void => expectClose(tile, twin, half ? 0.03 : 2e-5);
  it.each([['one cell a texel', 99], ['pooled', 9], ['one texel', 1]] as const)('%s', async (_, most) => {
    const rows = runs(3), cols = runs(8);
    for (const without of [[], [0], [0, 7, 8, 30]]) {
      const size = { height: Math.min(most, rows.length), width: Math.min(most, cols.length) };
      const tile = await open_.tile({ rows: [0, T], cols: [0, T], height: most, width: most, join: { rows: rows.flat(), cols: cols.flat() }, without });
      expect([tile.height, tile.width]).toEqual([size.height, size.width]);
      close(tile, wanted(open_, rows, cols, without, size));
    }
  });
  it('a part of the map, renormalised: by the whole row, not by the part', async () => {
    const tile = await open_.tile({ rows: [20, 50], cols: [10, 40], height: 30, width: 30, without: [0] });
    close(tile, wanted(open_, singles.slice(20, 50), singles.slice(10, 40), [0], { height: 30, width: 30 }));
  });
  it('a span of queries over every key, a span of keys over every query: a side that is not spelled out is single positions', async () => {
    for (const without of [[], [0, 12]]) {
      close(await open_.tile({ rows: [20, 41], cols: [0, T], height: 1, width: T, join: { rows: [20, 41] }, reduce: 'mean', without }), wanted(open_, [[20, 41]], singles, without, { height: 1, width: T }));
      close(await open_.tile({ rows: [0, T], cols: [20, 41], height: T, width: 1, join: { cols: [20, 41] }, reduce: 'mean', without }), wanted(open_, singles, [[20, 41]], without, { height: T, width: 1 }));
    }
  });
  it('a row of words that holds all keys sums to 1, renormalised or not', async () => {
    for (const without of [[], [0, 1]]) {
      const all = singles.filter(([key]) => !without.includes(key)), { data, height, width } = await open_.tile({ rows: [0, T], cols: [0, T], height: T, width: T, join: { rows: runs(5).flat(), cols: all.flat() }, without });
      for (let r = 0; r < height; r++) {
        const row = [...data.subarray(r * width, (r + 1) * width)].filter(value => !Number.isNaN(value));
        if (row.length) expect(Math.abs(row.reduce((sum, value) => sum + value, 0) - 1)).toBeLessThan(half ? 0.05 : 1e-5);
      }
    }
  });
  it('the panel sums a row to the same numbers', async () => {
    const cols = runs(8), band = bandOf(T, { words: cols.map(([from, to]) => ({ from, to })) });
    for (const [from, to] of [[4, 5], [30, 33], [66, 70]] as const) for (const without of [[], [0, 12]]) {
      const { data } = await open_.tile({ rows: [from, to], cols: [0, T], height: to - from, width: T }), tile = await open_.tile({ rows: [from, to], cols: [0, T], height: 1, width: T, join: { rows: [from, to], cols: cols.flat() }, without });
      const mine = joinRow(data, T, band, without);
      tile.data.forEach((value, n) => { if (Number.isNaN(value)) expect(mine[n]).toBeNaN(); else expect(Math.abs(mine[n] - value)).toBeLessThan(1e-6); });
    }
  });
});

it('beside a sink of 0.9999 the rest is not noise', async () => {
  // Queries and keys so that key 0 takes nearly everything; what remains is shared by scores that are known.
  const { tile, twins } = await open('joined-sharp', { queries: T, mask: (_b, _h, i, j) => (j > i ? -1e9 : j === 0 ? 14 : 0) });
  const { data } = await tile({ rows: [0, T], cols: [0, T], height: T, width: T, without: [0] });
  for (let i = 1; i < T; i++) {
    const row = twins[0].probs.subarray((T + i) * T + 1, (T + i) * T + i + 1), rest = row.reduce((sum, value) => sum + value, 0);
    row.forEach((value, j) => expect(Math.abs(data[i * T + j + 1] - value / rest)).toBeLessThan(1e-4));
  }
  expect([...data.subarray(0, T)].every(Number.isNaN), 'the first row has nothing but the sink').toBe(true);
});

it('what makes no sense is refused in a sentence', async () => {
  const { tile } = await open('joined-refused', { queries: T }), all = { rows: [0, T], cols: [0, T], height: 8, width: 8 } as const;
  for (const join_ of [{ rows: [3, 2], cols: [0, 1] }, { rows: [0, 2, 1, 3], cols: [0, 1] }, { rows: [0, T + 1], cols: [0, 1] }, { rows: [0], cols: [0, 1] }, { rows: [], cols: [0, 1] }, { rows: [0.5, 2], cols: [0, 1] }]) await expect(tile({ ...all, join: join_ })).rejects.toThrow(UserError);
  for (const without of [[T], [-1], [3, 3], [5, 2]]) await expect(tile({ ...all, without })).rejects.toThrow('Rows cannot be renormalised without these keys');
});
