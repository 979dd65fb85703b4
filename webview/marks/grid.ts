/** The layer × head grid: how large its thumbnails are, and what of a thumbnail holds anything. */

/** CSS pixels. A head's cell is `step` wide, its picture `inset` from the cell's edges. `small`: no room for more than a head's number under it, or for no number in a colored cell. */
export interface GridSize { readonly thumb: number; readonly step: number; readonly inset: number; readonly small: boolean }

const largest = 68, smallest = 24, inset = 8, insetSmall = 3;
/** Colored cells: as wide as a number needs, down to where a mouse can still meet one. */
const heatLargest = 56, heatSmallest = 22, heatNumber = 40;
/** Between the cells of two key/value heads. */
export const groupGap = 12;

export interface GridRoom {
  readonly width: number;
  /** In the widest row. */
  readonly heads: number;
  /** Gaps between groups in that row. */
  readonly gaps: number;
  readonly label: number;
}

/** Thumbnails as large as fit beside each other, between 24 and 68 pixels; a grid of more heads than that scrolls sideways. */
export function gridSize({ width, heads, gaps, label }: GridRoom): GridSize {
  const room = Math.floor((width - label - gaps * groupGap) / Math.max(1, heads)), roomy = Math.min(largest, room - 2 * inset);
  if (roomy >= 56) return { thumb: roomy, step: roomy + 2 * inset, inset, small: false };
  const thumb = Math.max(smallest, Math.min(largest, room - 2 * insetSmall));
  return { thumb, step: thumb + 2 * insetSmall, inset: insetSmall, small: true };
}

/** Colored cells of the heat map: their numbers stand in them where there is room. */
export function heatSize({ width, heads, gaps, label }: GridRoom): GridSize {
  const step = Math.max(heatSmallest, Math.min(heatLargest, Math.floor((width - label - gaps * groupGap) / Math.max(1, heads))));
  return { thumb: step < heatNumber ? heatSmallest : 28, step, inset: 1, small: step < heatNumber };
}

/** Heads that fit beside each other as large thumbnails, or as cells with numbers. */
export function columnsFor(width: number, label: number, heat: boolean): number {
  return Math.max(1, Math.floor((width - label) / (heat ? heatLargest : largest + 2 * inset)));
}

/** Whether the ranked list, `list` pixels wide, leaves the grid enough room beside it not to scroll sideways. */
export function fitsBeside(room: GridRoom, list: number, heat: boolean): boolean {
  return room.width - list >= Math.max(480, room.label + room.gaps * groupGap + room.heads * (heat ? heatSmallest : smallest + 2 * insetSmall));
}

/** Left edge of every cell of a row, after a gap at the start of each group but the first. */
export function cellLefts(count: number, step: number, groupStarts: readonly number[]): readonly number[] {
  const starts = new Set(groupStarts);
  let left = 0;
  return Array.from({ length: count }, (_, col) => {
    if (col > 0) left += step + (starts.has(col) ? groupGap : 0);
    return left;
  });
}

/**
 * One head's pooled map [rows, cols] out of `data` [batch, head, size, size], with NaN above the causal diagonal:
 * with fewer positions than bins only the first bins hold anything, and a bin that no query sees is not a zero.
 * `real` [tokens] is 0 for padding, where queries and keys are these tokens: bins of nothing else are NaN too.
 */
export function thumbnailTexels(data: Float32Array, at: { readonly batch: number; readonly head: number; readonly heads: number; readonly size: number }, extent: { readonly queries: number; readonly keys: number }, causal: boolean, real?: readonly number[]): { readonly rows: number; readonly cols: number; readonly data: Float32Array; readonly most: number } {
  const { size } = at, from = (at.batch * at.heads + at.head) * size * size, rows = Math.max(1, Math.min(size, extent.queries)), cols = Math.max(1, Math.min(size, extent.keys)), texels = new Float32Array(rows * cols), hidden = paddingBins(real, rows);
  let most = 0;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const value = (causal && extent.queries === extent.keys && col > row) || hidden[row] || hidden[col] ? NaN : data[from + row * size + col];
      texels[row * cols + col] = value;
      if (value > most && value < Infinity) most = value;
    }
  }
  return { rows, cols, data: texels, most };
}

/** 1 for bins in which every position is padding; position i of T is in bin ⌊i·side/T⌋, as in engine/compute/statistics.ts. */
function paddingBins(real: readonly number[] = [], side: number): Uint8Array {
  const hidden = new Uint8Array(side).fill(real.length ? 1 : 0);
  real.forEach((is, i) => { if (is) hidden[Math.floor(i * side / real.length)] = 0; });
  return hidden;
}
