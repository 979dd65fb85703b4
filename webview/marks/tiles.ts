/** Which tiles of a map are needed for the pixels on the screen: a pyramid of squares, each level pooling twice the cells of the one below. */
import type { Extent, Size, View } from './view.ts';
import { visible } from './view.ts';

/** Most texels along an edge of a tile. */
export const tileTexels = 256;
/** Most cells along an edge: such a tile is computed in about 60 ms, so that a picture of all of a long map fills in piece by piece; the engine keeps what these squares are pooled from. */
export const tileCells = 4096;

/** Cells along an edge of the tiles of a level. */
export function edgeOf(level: number): number { return Math.min(tileCells, tileTexels * 2 ** level); }

/** One square of a level; a texel stands for `2 ** level` cells each way. */
export interface TileKey { readonly level: number; readonly row: number; readonly col: number }
/** What to ask the engine for: half-open cell ranges, and the texels that hold them. */
export interface TileSpan { readonly rows: readonly [number, number]; readonly cols: readonly [number, number]; readonly height: number; readonly width: number }

/** The finest level whose texels are not smaller than a device pixel: 0 where every cell has a pixel of its own. */
export function levelFor(view: View, devicePixels: number): number {
  return Math.max(0, Math.ceil(Math.log2(1 / (view.cell * devicePixels)) - 1e-9));
}

/** The coarsest useful level: the whole map has no more texels than one tile may. */
export function topLevel(extent: Extent): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(extent.rows, extent.cols, 1) / tileTexels)));
}

/** The tiles that cover the window, the middle first: what a person looks at comes before its edges. */
export function tilesFor(view: View, extent: Extent, size: Size, devicePixels: number): TileKey[] {
  const level = Math.min(levelFor(view, devicePixels), topLevel(extent));
  const cells = edgeOf(level);
  const { rows, cols } = visible(view, extent, size);
  const keys: TileKey[] = [];
  for (let row = Math.floor(rows[0] / cells); row * cells < rows[1]; row++) {
    for (let col = Math.floor(cols[0] / cells); col * cells < cols[1]; col++) keys.push({ level, row, col });
  }
  const middleRow = (rows[0] + rows[1]) / 2 / cells - 0.5;
  const middleCol = (cols[0] + cols[1]) / 2 / cells - 0.5;
  const away = (key: TileKey): number => Math.hypot(key.row - middleRow, key.col - middleCol);
  return keys.sort((a, b) => away(a) - away(b));
}

/** The cells of a tile, cut at the map's edges. */
export function tileSpan(key: TileKey, extent: Extent): TileSpan {
  const pooled = 2 ** key.level;
  const cells = edgeOf(key.level);
  const cut = (at: number, count: number): readonly [number, number] => [at * cells, Math.min(count, (at + 1) * cells)];
  const rows = cut(key.row, extent.rows);
  const cols = cut(key.col, extent.cols);
  return { rows, cols, height: Math.ceil((rows[1] - rows[0]) / pooled), width: Math.ceil((cols[1] - cols[0]) / pooled) };
}

export function tileName(key: TileKey): string {
  return `${key.level}/${key.row}/${key.col}`;
}

/** True when the causal rule (key ≤ query + offset) hides every cell of a tile that reaches over these positions: there is nothing to ask the engine for. */
export function isAllMasked(span: Pick<TileSpan, 'rows' | 'cols'>, causalOffset: number | undefined): boolean {
  return causalOffset !== undefined && span.cols[0] > span.rows[1] - 1 + causalOffset;
}

/** Whether two rectangles of cells have any in common. */
export function overlap(a: Pick<TileSpan, 'rows' | 'cols'>, b: Pick<TileSpan, 'rows' | 'cols'>): boolean {
  return a.rows[0] < b.rows[1] && b.rows[0] < a.rows[1] && a.cols[0] < b.cols[1] && b.cols[0] < a.cols[1];
}
