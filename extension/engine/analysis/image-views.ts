/** The views of an image as one list of cells, and maps over them: one view, or all on the grid of the finest. */
import type { Grid } from '../../contract/image-grid.ts';
import type { ImageTokens, ImageView } from '../../contract/trace.ts';

/** One view where the tokens are a plain grid. `from`: its first cell among those of all. */
export type Placed = Grid & { readonly from: number; readonly runs: ImageView['runs']; readonly box?: ImageView['box'] };

export function placedViews(tokens: ImageTokens): readonly Placed[] {
  let from = 0;
  return (tokens.views ?? [tokens]).map(({ rows, columns, runs, ...view }) => { const placed = { rows, columns, runs, from, ...('box' in view ? { box: view.box } : {}) }; from += rows * columns; return placed; });
}

/** Of each of `keys` positions the cell, or −2. */
export function cellsOfKeys(views: readonly Placed[], keys: number): Int32Array {
  const cell = new Int32Array(keys).fill(-2);
  for (const { from, runs } of views) { let n = from; for (const [start, end] of runs) { for (let j = start; j < Math.min(end, keys); j++) cell[j] = n + j - start; n += end - start; } }
  return cell;
}

/**
 * Masses of all cells, on the grid of the first view: what lies on a coarser or shifted cell is spread over the cells below it by area, so
 * that the sum stays. Views without a box lie on the same box.
 */
export function summedViews(views: readonly Placed[], masses: ArrayLike<number>): Float64Array {
  const [first] = views, sum = Float64Array.from({ length: first.rows * first.columns }, (_, n) => masses[first.from + n]);
  for (const view of views.slice(1)) {
    const [left, top, right, bottom] = view.box ?? [0, 0, 1, 1], [toLeft, toTop, toRight, toBottom] = first.box ?? [0, 0, 1, 1];
    const across = shares(left, right, view.columns, toLeft, toRight, first.columns), down = shares(top, bottom, view.rows, toTop, toBottom, first.rows);
    for (let r = 0; r < view.rows; r++) for (let c = 0; c < view.columns; c++) for (const [row, y] of down[r]) for (const [column, x] of across[c]) sum[row * first.columns + column] += masses[view.from + r * view.columns + c] * x * y;
  }
  return sum;
}

/** Of each of `count` equal parts of [low, high): which of `toCount` parts of [toLow, toHigh) it lies on, with shares that sum to 1. */
function shares(low: number, high: number, count: number, toLow: number, toHigh: number, toCount: number): readonly (readonly (readonly [number, number])[])[] {
  const step = (high - low) / count, toStep = (toHigh - toLow) / toCount;
  return Array.from({ length: count }, (_, n) => {
    const from = (low + n * step - toLow) / toStep, to = from + step / toStep, first = Math.max(0, Math.floor(from)), last = Math.min(toCount - 1, Math.ceil(to) - 1), on: [number, number][] = [];
    for (let m = first; m <= last; m++) { const overlap = Math.min(to, m + 1) - Math.max(from, m); if (overlap > 1e-9) on.push([m, overlap]); }
    // Beyond the other grid: the nearest of its parts.
    if (!on.length) return [[Math.max(0, Math.min(toCount - 1, first)), 1]];
    const total = on.reduce((sum, [, overlap]) => sum + overlap, 0);
    return on.map(([m, overlap]) => [m, overlap / total]);
  });
}
