/** A picture of any rectangle of one head at any zoom, straight from q, k and lse. */
import type { Plan } from '../gpu/plan.ts';
import { params, switches, type Problem } from './problem.ts';

export interface TileOf {
  readonly head: number;
  /** Cells [from, to) of the rectangle. */
  readonly rows: readonly [number, number]; readonly columns: readonly [number, number];
  readonly height: number; readonly width: number;
  readonly scores: boolean; readonly most: boolean;
  /** Rows are multiplied with what `over` [row of the rectangle] holds; below 0 they are left out. */
  readonly over: boolean;
}

/** texels [height, width, 2]: value and how many cells are seen. Reads q, k, bias, marks, rows (lse in the first of four), over. */
export function tilePlan(of: Problem, tile: TileOf): Plan {
  const { head, rows: [top, bottom], columns: [left, right], height, width } = tile, block = (cells: number, texels: number): number => Math.max(1, Math.floor(32 / Math.ceil(cells / texels)));
  const block_height = block(bottom - top, height), block_width = block(right - left, width);
  return {
    buffers: { texels: 2 * height * width },
    passes: [{
      shader: 'tiles/tile.wgsl', constants: { ...switches(of), SCORES: Number(tile.scores), MOST: Number(tile.most), OVER: Number(tile.over) },
      uniforms: [params(of), { head, top, left, row_count: bottom - top, column_count: right - left, height, width, block_height, block_width }],
      reads: ['q', 'k', 'bias', 'marks', 'rows', 'over'], writes: ['texels'], grid: [Math.ceil(width / block_width), Math.ceil(height / block_height)],
    }],
  };
}
