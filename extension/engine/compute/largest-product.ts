/** The largest |q·k| of a sample: exactly where few pairs can hold it, otherwise bounded by the lengths of q and k. */
import { sumsOfSquares } from './kernel.ts';

/** Rows of one head: row i of `data` starts at `i · step + base`; `lengths[i · count + head]` is its Euclidean length. */
export interface Rows { readonly data: Float32Array; readonly step: number; readonly base: number; readonly lengths: Float64Array; readonly count: number; readonly head: number; readonly rows: number }
export interface Found { readonly value: number; readonly exact: boolean; readonly query?: number; readonly key?: number }

/**
 * Lengths of all rows of [row, head, dim], in double precision: a length is finite exactly when every number of its row is.
 * Float32 squares stay below 2^256, so nothing overflows on the way.
 */
export function lengthsOf(data: Float32Array, dim: number, out: Float64Array, at: number): void {
  const rows = dim ? data.length / dim : 0;
  for (let r = 0, x = 0; r < rows; r++) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0, d = 0;
    for (; d + 3 < dim; d += 4, x += 4) {
      s0 += data[x] * data[x];
      s1 += data[x + 1] * data[x + 1];
      s2 += data[x + 2] * data[x + 2];
      s3 += data[x + 3] * data[x + 3];
    }
    for (; d < dim; d++, x++) s0 += data[x] * data[x];
    out[at + r] = Math.sqrt(s0 + s1 + s2 + s3);
  }
}

/** The same on all cores: at least the length, and at most 2⁻¹⁷ of it more, which is room for the rounding of float32. Squares of less than 10⁻³⁸ count as nothing. */
export async function lengthsAtLeast(data: Float32Array, dim: number, out: Float64Array, at: number): Promise<void> {
  const squares = await sumsOfSquares(data.length / dim, dim, data);
  for (let r = 0; r < squares.length; r++) {
    if (squares[r] < Infinity) out[at + r] = Math.sqrt(squares[r]) * (1 + 2 ** -18);
    else lengthsOf(data.subarray(r * dim, (r + 1) * dim), dim, out, at + r);
  }
}

/** What |q·k| of this head cannot exceed: Cauchy and Schwarz. Rows that are not finite are left out; −1 where there are no others. */
export function productBound(q: Pick<Rows, 'lengths' | 'count' | 'head' | 'rows'>, k: Pick<Rows, 'lengths' | 'count' | 'head' | 'rows'>): number {
  const a = longest(q), b = longest(k);
  return a < 0 || b < 0 ? -1 : a * b;
}

function longest({ lengths, count, head, rows }: Pick<Rows, 'lengths' | 'count' | 'head' | 'rows'>): number {
  let most = -1;
  for (let i = 0; i < rows; i++) { const length = lengths[i * count + head]; if (length > most && length < Infinity) most = length; }
  return most;
}

/**
 * The largest |q·k| of one head if it is over `atLeast`. Longest rows come first, so that pairs which cannot hold it are never multiplied;
 * `spend(n)` is asked before every n multiplications, and where it says no, the bound of what is left is given instead.
 */
export function largestProduct(q: Rows, k: Rows, dim: number, atLeast: number, spend: (multiplications: number) => boolean): Found | undefined {
  const queries = byLength(q), keys = byLength(k), longestKey = keys.length ? k.lengths[keys[0] * k.count + k.head] : 0;
  let best = atLeast, query = -1, key = -1;
  for (const i of queries) {
    const length = q.lengths[i * q.count + q.head];
    if (length * longestKey <= best) break;
    if (!spend(keys.length * dim)) return { value: length * longestKey, exact: false };
    for (const j of keys) {
      if (length * k.lengths[j * k.count + k.head] <= best) break;
      const value = Math.abs(dot(q.data, i * q.step + q.base, k.data, j * k.step + k.base, dim));
      if (value > best) { best = value; query = i; key = j; }
    }
  }
  return query < 0 ? undefined : { value: best, exact: true, query, key };
}

/** Finite rows, longest first. */
function byLength({ lengths, count, head, rows }: Rows): Int32Array {
  const finite = Array.from({ length: rows }, (_, i) => i).filter(i => Number.isFinite(lengths[i * count + head]));
  return Int32Array.from(finite.sort((a, b) => lengths[b * count + head] - lengths[a * count + head] || a - b));
}

function dot(a: Float32Array, x: number, b: Float32Array, y: number, dim: number): number {
  let s0 = 0, s1 = 0, d = 0;
  for (; d + 1 < dim; d += 2) { s0 += a[x + d] * b[y + d]; s1 += a[x + d + 1] * b[y + d + 1]; }
  for (; d < dim; d++) s0 += a[x + d] * b[y + d];
  return s0 + s1;
}
