/** Row and column statistics of a site in two passes over q and k, O(T) memory (card: exact-attention, algorithms 3 to 7). */
import type { Limits, Plan } from '../gpu/plan.ts';
import { tooLarge } from './exact-plan.ts';
import { chooseGrid, gridConstants } from './grid.ts';
import { params, switches, type Problem } from './problem.ts';

export interface StatisticsOf {
  /** Bins of rows and of keys of the small picture. */
  readonly bins: number; readonly keyBins: number;
  /** Rows of `weights`: one for all heads, or one a head. */
  readonly weightsPerHead: boolean;
}

/**
 * Buffers: rows [head, query, 4]: lse, entropy, largest p, its key; received [head, bin, key]; far [head, tile of keys, bin, 4]: Σ w·p·|d|, Σ w·p·d², Σ w·p;
 * columns [head, key]; picture [head, bin, bin of keys]. Reads q, k, bias, sink, marks, weights [1 or head, query].
 */
export function statisticsPlan(of: Problem, { bins, keyBins, weightsPerHead }: StatisticsOf, limits: Limits): Plan {
  const grid = chooseGrid(of.dim, 0, limits);
  if (!grid) throw tooLarge(of, limits);
  const rows = 8 * grid.TY, tiles = Math.ceil(of.keys / rows), constants = { ...gridConstants(grid), ...switches(of) }, sizes = { keys: of.keys, bins, key_bins: keyBins };
  return {
    buffers: { rows: 4 * of.heads * of.queries, received: of.heads * bins * of.keys, far: 4 * of.heads * tiles * bins, columns: of.heads * of.keys, picture: of.heads * bins * keyBins },
    passes: [
      { shader: 'stats/rows.wgsl', constants, uniforms: [params(of)], reads: ['q', 'k', 'bias', 'sink', 'marks'], writes: ['rows'], grid: [of.heads, Math.ceil(of.queries / rows)] },
      { shader: 'stats/columns.wgsl', constants, uniforms: [params(of), { bins, weights_head: weightsPerHead ? of.queries : 0 }], reads: ['q', 'k', 'bias', 'marks', 'rows', 'weights'], writes: ['received', 'far'], grid: [of.heads, tiles, bins] },
      { shader: 'stats/pool.wgsl', entry: 'columns_of', uniforms: [sizes], reads: ['received'], writes: ['columns', 'picture'], grid: [Math.ceil(of.keys / 64), of.heads] },
      { shader: 'stats/pool.wgsl', entry: 'picture_of', uniforms: [sizes], reads: ['received'], writes: ['columns', 'picture'], grid: [Math.ceil(keyBins / 64), of.heads, bins] },
    ],
  };
}

/** Counts [head, 32] of probabilities by size: bin b holds 2^−(b + 1) < p ≤ 2^−b, the last all smaller ones. Reads q, k, bias, marks, rows. */
export function histogramPlan(of: Problem): Plan {
  return { buffers: { counts: of.heads * 32 }, zero: ['counts'], passes: [{ shader: 'stats/histogram.wgsl', constants: switches(of), uniforms: [params(of)], reads: ['q', 'k', 'bias', 'marks', 'rows'], writes: ['counts'], grid: [of.heads, Math.ceil(of.queries / 32)] }] };
}

/** best [chosen, count, 2]: score and key of the highest of each chosen row of one head, by score, then by position. Reads q, k, bias, marks, chosen. */
export function topKeysPlan(of: Problem, head: number, chosen: number, count: number): Plan {
  return { buffers: { best: 2 * chosen * count }, passes: [{ shader: 'stats/top-keys.wgsl', constants: { COUNT: count, ...switches(of) }, uniforms: [params(of), { head }], reads: ['q', 'k', 'bias', 'marks', 'chosen'], writes: ['best'], grid: [chosen] }] };
}
