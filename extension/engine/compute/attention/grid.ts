/** The grid of threads of the tiled kernels (common/tile.wgsl), chosen for a head size and a device. */
import type { Limits } from '../gpu/plan.ts';

export interface Grid {
  /** Threads across and down; each has 8 × 8 cells. Groups of them take turns with the keys. */
  readonly TX: number; readonly TY: number; readonly GROUPS: number;
  /** Padded head size, and dimensions of a slice. */
  readonly D: number; readonly DS: number;
  /** Keys whose probabilities and values are held at a time; 0: the kernel has no values. */
  readonly KEYS: number;
  /** Strips of the pool and of the resident tile. */
  readonly POOL: number; readonly RESIDENT: number;
  /** Whether rows may agree inside a subgroup. */
  readonly subgroups: boolean;
}

/**
 * `valueDim`: 0 for kernels that only score. Undefined when nothing fits: the head size is too large for this device.
 * As many threads as there can be, since a multiprocessor may hold no second workgroup (measured on an H200): first the largest tile, then groups that share it.
 */
export function chooseGrid(dim: number, valueDim: number, limits: Limits, most = 256): Grid | undefined {
  // Eight columns a thread must hold a whole value; few threads across would make tiles long and thin.
  const TX = valueDim === 0 ? 8 : Math.max(4, 2 ** Math.ceil(Math.log2(Math.ceil(valueDim / 8))));
  let best: Grid | undefined;
  for (let TY = 64; TY >= 1; TY /= 2) for (const GROUPS of valueDim === 0 ? [1, 2, 4] : [1, 2]) for (const slice of [32, 16, 8, 4]) for (const KEYS of valueDim === 0 ? [0] : [2 * TX, TX, TX / 2, TX / 4].filter(keys => keys >= 4)) {
    const threads = TX * TY, all = threads * GROUPS, DS = Math.min(slice, Math.ceil(dim / 4) * 4), D = Math.ceil(dim / DS) * DS;
    if (all > Math.min(most, limits.invocations) || all < 16) continue;
    const POOL = Math.max(DS / 4 * TX, KEYS / 4 * (TY + TX), threads / 4, GROUPS > 1 && valueDim > 0 ? Math.ceil(threads / 2 / GROUPS) : 0), RESIDENT = Math.max(D / 4 * TY, valueDim === 0 ? all : GROUPS > 1 ? 2 * threads : 0);
    if (GROUPS * POOL * 144 + RESIDENT * 128 > limits.workgroupBytes) continue;
    const grid: Grid = { TX, TY, GROUPS, D, DS, KEYS, POOL, RESIDENT, subgroups: limits.subgroupSize >= TX };
    if (!best || worth(grid) > worth(best)) best = grid;
  }
  return best;
}

/** Threads first, then rows that share what streams by, then fewer phases. */
function worth({ TX, TY, GROUPS, DS, KEYS }: Grid): number { return TX * TY * GROUPS * 1e6 + TY * 1e4 + DS * 10 + KEYS; }

/** Overrides of common/tile.wgsl. */
export function gridConstants({ TX, TY, GROUPS, D, DS, POOL, RESIDENT }: Grid): Readonly<Record<string, number>> { return { TX, TY, GROUPS, D, DS, POOL, RESIDENT }; }
