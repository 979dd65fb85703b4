/** One axis of a map as cells: a position each, words, or some of them left out; and rows of single probabilities summed to such cells. */
import type { Word } from './words.ts';

/** Cells in order; cell i holds the positions [from[i], to[i]). `plain`: every position is a cell of its own. */
export interface Band { readonly count: number; readonly plain: boolean; readonly from: Int32Array; readonly to: Int32Array }

/** `words`: what to join, every position otherwise; positions in `hidden` are left out, and part the word that they stand in. */
export function bandOf(positions: number, how: { readonly words?: readonly Word[] | undefined; readonly hidden?: ReadonlySet<number> | undefined } = {}): Band {
  const from: number[] = [], to: number[] = [], hidden = how.hidden ?? new Set<number>();
  const runs = how.words ?? Array.from({ length: positions }, (_, i) => ({ from: i, to: i + 1 }));
  for (const run of runs) {
    let start = run.from;
    for (let i = run.from; i <= run.to; i++) {
      if (i < run.to && !hidden.has(i)) continue;
      if (i > start) { from.push(start); to.push(i); }
      start = i + 1;
    }
  }
  return { count: from.length, plain: from.length === positions, from: Int32Array.from(from), to: Int32Array.from(to) };
}

/** The cell that holds a position; undefined where it is left out. */
export function cellOf(band: Band, position: number): number | undefined {
  const cell = lastAtOrBefore(band, position);
  return cell >= 0 && position < band.to[cell] ? cell : undefined;
}

/** The cell that holds a position, or the nearest; 0 of an axis without cells. */
export function nearestCell(band: Band, position: number): number {
  const cell = lastAtOrBefore(band, position);
  if (cell < 0) return 0;
  return position >= band.to[cell] && cell + 1 < band.count && band.from[cell + 1] - position < position - band.to[cell] + 1 ? cell + 1 : cell;
}

function lastAtOrBefore({ from }: Band, position: number): number {
  let low = 0, high = from.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (from[middle] <= position) low = middle + 1; else high = middle;
  }
  return low - 1;
}

/** The positions of the cells [first, last) as the engine wants them: half-open runs, flattened. */
export function runsOf(band: Band, [first, last]: readonly [number, number]): number[] {
  const runs: number[] = [];
  for (let i = first; i < last; i++) runs.push(band.from[i], band.to[i]);
  return runs;
}

/** The range of positions that the cells [first, last) reach over. */
export function reach(band: Band, [first, last]: readonly [number, number]): readonly [number, number] {
  return [band.from[first] ?? 0, band.to[last - 1] ?? 0];
}

/**
 * One row of cells from single probabilities `values` [query, key] (NaN: hidden): mean over the queries, sum over each cell's keys, each query
 * divided by what its keys outside of `without` have together. The same numbers as the engine's tiles (engine/analysis/joined-tile.ts).
 */
export function joinRow(values: Float32Array, keys: number, cols: Band, without: readonly number[]): Float32Array {
  const queries = Math.floor(values.length / Math.max(1, keys)), sums = new Float64Array(cols.count), seen = new Uint8Array(cols.count), left = new Set(without);
  let live = 0;
  for (let q = 0; q < queries; q++) {
    const row = values.subarray(q * keys, (q + 1) * keys);
    let rest = 0, sees = false;
    for (let j = 0; j < keys; j++) if (row[j] === row[j]) { sees = true; if (!left.has(j)) rest += row[j]; }
    if (!sees || (without.length && !(rest > 0))) continue;
    live++;
    const by = without.length ? rest : 1;
    for (let c = 0; c < cols.count; c++) {
      let sum = 0, any = 0;
      for (let j = cols.from[c]; j < cols.to[c]; j++) if (row[j] === row[j]) { sum += row[j]; any = 1; }
      if (any) { sums[c] += sum / by; seen[c] = 1; }
    }
  }
  return Float32Array.from(sums, (sum, c) => (live && seen[c] ? sum / live : NaN));
}
