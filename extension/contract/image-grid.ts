/** Where the positions of an attention site lie in an image: grids of patches, windows, rectangles in pixels. Pure, so that engine and panel agree. */
import type { ImageView, TraceImage } from './trace.ts';

/** Rows × columns of cells that tile what the model was fed; cell n is row ⌊n / columns⌋. */
export interface Grid { readonly rows: number; readonly columns: number }

/** How one axis (queries or keys) of a site covers the image. */
export interface Axis extends Grid {
  /** Positions in front that are no patches: CLS, registers, distillation tokens. */
  readonly extra: number;
  /** Blocks of so many patches a side follow each other; undefined: rows do. */
  readonly merge?: number;
}

/** Windows of a partitioned grid, as Swin: the grid is padded to whole windows and rolled by `shift`. */
export interface Windows { readonly side: number; readonly across: number; readonly down: number; readonly shift: number }

export interface SiteGrid {
  readonly queries: Axis;
  readonly keys: Axis;
  readonly windows?: Windows;
}

/** `samples`: rows of the site's first axis that belong to one image (windows of it, or 1). `shifted`: windows have masks of their own. */
export interface SiteShape { readonly queries: number; readonly keys: number; readonly samples: number; readonly shifted: boolean }

/**
 * The grid of a site of the vision tower: the patch grid itself, or one that is coarser by a whole factor (later stages, spatial reduction,
 * pooling by convolution). Undefined where its positions are none.
 */
export function siteGrid(patches: TraceImage['patches'], { queries, keys, samples, shifted }: SiteShape): SiteGrid | undefined {
  if (samples > 1) return windowGrid(patches, queries, samples, shifted);
  const rows = axisOf(patches, queries), columns = axisOf(patches, keys);
  return rows && columns && { queries: rows, keys: columns };
}

/** Largest number of CLS, distillation and register tokens that is looked for. */
const mostExtra = 16;

function axisOf({ rows, columns, merge }: TraceImage['patches'], count: number): Axis | undefined {
  if (merge !== undefined) return count === rows * columns ? { rows, columns, extra: 0, merge } : undefined;
  if (count >= rows * columns && count <= rows * columns + mostExtra) return { rows, columns, extra: count - rows * columns };
  for (let factor = 2; factor <= Math.max(rows, columns); factor++) for (const round of [Math.ceil, Math.floor]) {
    const coarse = { rows: round(rows / factor), columns: round(columns / factor) };
    // Coarse grids are tried exactly first: 4 = 2 × 2 is no 1 × 1 with three more.
    for (const extra of [0, 1]) if (coarse.rows * coarse.columns > 0 && coarse.rows * coarse.columns + extra === count) return { ...coarse, extra };
  }
  return undefined;
}

function windowGrid(patches: Grid, positions: number, samples: number, shifted: boolean): SiteGrid | undefined {
  const side = Math.round(Math.sqrt(positions));
  if (side * side !== positions) return undefined;
  for (let factor = 1; factor <= Math.max(patches.rows, patches.columns); factor *= 2) {
    const rows = Math.ceil(patches.rows / factor), columns = Math.ceil(patches.columns / factor), down = Math.ceil(rows / side), across = Math.ceil(columns / side);
    if (down * across !== samples) continue;
    const axis = { rows, columns, extra: 0 };
    return { queries: axis, keys: axis, windows: { side, across, down, shift: shifted ? Math.floor(side / 2) : 0 } };
  }
  return undefined;
}

/** Where a query cell (or, below 0, an extra token: −1 is the first) is found in the site's tensors. */
export function placeOfQuery({ queries, windows }: SiteGrid, cell: number): { readonly sample: number; readonly position: number } {
  if (cell < 0) return { sample: 0, position: -1 - cell };
  if (!windows) return { sample: 0, position: queries.extra + placeOfCell(queries, cell) };
  const { side, across, down, shift } = windows, row = (Math.floor(cell / queries.columns) - shift + down * side) % (down * side), column = (cell % queries.columns - shift + across * side) % (across * side);
  return { sample: Math.floor(row / side) * across + Math.floor(column / side), position: row % side * side + column % side };
}

/** The key cell of a key position in window `sample`; below 0 an extra token; undefined for padding that windows reach into. */
export function cellOfKey({ keys, windows }: SiteGrid, sample: number, position: number): number | undefined {
  if (!windows) return position < keys.extra ? position - keys.extra : cellOfPlace(keys, position - keys.extra);
  const { side, across, down, shift } = windows, row = (Math.floor(sample / across) * side + Math.floor(position / side) + shift) % (down * side), column = (sample % across * side + position % side + shift) % (across * side);
  return row < keys.rows && column < keys.columns ? row * keys.columns + column : undefined;
}

/** Where a raster cell stands among positions that go block by block. */
function placeOfCell({ columns, merge = 1 }: Axis, cell: number): number {
  const row = Math.floor(cell / columns), column = cell % columns;
  return (Math.floor(row / merge) * (columns / merge) + Math.floor(column / merge)) * merge * merge + row % merge * merge + column % merge;
}

/** The raster cell of a position among those that are patches. */
function cellOfPlace({ columns, merge = 1 }: Axis, place: number): number {
  const block = Math.floor(place / merge / merge), inside = place % (merge * merge);
  return (Math.floor(block / (columns / merge)) * merge + Math.floor(inside / merge)) * columns + block % (columns / merge) * merge + inside % merge;
}

/** The cell of `to` that the middle of cell `cell` of `from` lies in. */
export function sameCell(from: Grid, cell: number, to: Grid): number {
  const row = Math.floor((Math.floor(cell / from.columns) + 0.5) / from.rows * to.rows), column = Math.floor((cell % from.columns + 0.5) / from.columns * to.columns);
  return Math.min(to.rows - 1, row) * to.columns + Math.min(to.columns - 1, column);
}

export interface Rectangle { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }

/** A cell in pixels of the upright image; beyond its edges where it was padded. */
export function cellRectangle(image: Pick<TraceImage, 'fed' | 'covered' | 'offset' | 'scale'>, grid: Grid, cell: number): Rectangle {
  const row = Math.floor(cell / grid.columns), column = cell % grid.columns, [height, width] = image.covered, x = (n: number): number => (n / grid.columns * width + image.offset[0]) * image.scale[0], y = (n: number): number => (n / grid.rows * height + image.offset[1]) * image.scale[1];
  return { left: x(column), right: x(column + 1), top: y(row), bottom: y(row + 1) };
}

/** How a grid lies on a box of the image's pixels, for `cellRectangle`. */
export function onBox<T extends { readonly width: number; readonly height: number }>(image: T, { rows, columns }: Grid, [left, top, right, bottom]: ImageView['box']): T & Pick<TraceImage, 'fed' | 'covered' | 'offset' | 'scale'> {
  const x = (right - left) / columns, y = (bottom - top) / rows;
  return { ...image, fed: [rows, columns], covered: [rows, columns], offset: [left / x, top / y], scale: [x, y] };
}
