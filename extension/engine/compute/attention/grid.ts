/** The grid of threads of the tiled kernels (common/tile.wgsl), chosen for a head size and a device. */
import type { Limits } from '../gpu/plan.ts';

export interface Grid {
  /** Threads across and down; each has 8 × 8 cells. */
  readonly TX: number; readonly TY: number;
  /** Padded head size, and dimensions of a slice. */
  readonly D: number; readonly DS: number;
  /** Columns of a thread whose probabilities and values are held at a time, 1 or 2; 0: the kernel has no values. */
  readonly phase: number;
  /** vec4 of the shared pool, and of the resident tile where it has to be larger than its tile. */
  readonly POOL: number;
  /** Whether rows may agree inside a subgroup. */
  readonly subgroups: boolean;
}

/** `valueDim`: 0 for kernels that only score. Undefined when nothing fits: the head size is too large for this device. */
export function chooseGrid(dim: number, valueDim: number, limits: Limits, most = 128): Grid | undefined {
  // Eight columns a thread must hold a whole value; few threads across would make tiles long and thin.
  const TX = valueDim === 0 ? 8 : Math.max(4, 2 ** Math.ceil(Math.log2(Math.ceil(valueDim / 8))));
  for (let threads = Math.min(most, 2 ** Math.floor(Math.log2(limits.invocations))); threads >= 16; threads /= 2) {
    const TY = threads / TX;
    if (TY < 1) continue;
    for (const [slice, columns] of [[32, 2], [16, 2], [16, 1], [8, 1], [4, 1]]) {
      const DS = Math.min(slice, Math.ceil(dim / 4) * 4), D = Math.ceil(dim / DS) * DS, phase = valueDim === 0 ? 0 : columns, across = 2 * TX, step = 2 * TY + 1;
      const POOL = Math.max(DS * across, phase * TX * (step + across), across * TY, threads), resident = Math.max(D * step, valueDim === 0 ? 8 * TY * TX : 0);
      if ((POOL + resident) * 16 <= limits.workgroupBytes) return { TX, TY, D, DS, phase, POOL, subgroups: limits.subgroupSize >= TX };
    }
  }
  return undefined;
}

/** Overrides of common/tile.wgsl. */
export function gridConstants({ TX, TY, D, DS, POOL }: Grid, resident = 0): Readonly<Record<string, number>> {
  return { TX, TY, D, DS, POOL, ...(resident ? { RESIDENT: Math.max(resident, D * (2 * TY + 1)) } : {}) };
}
