/** Where the map lies under the window: fit, zoom about a point, pan, hit testing; all in CSS pixels and cells. */

/** How many queries (rows) and keys (columns) there are. */
export interface Extent { readonly rows: number; readonly cols: number }
export interface Size { readonly width: number; readonly height: number }
/** The cell at the window's top left corner (fractions allowed) and the size of a cell in CSS pixels. */
export interface View { readonly row: number; readonly col: number; readonly cell: number }
export interface Cell { readonly row: number; readonly col: number }

/** A cell is never drawn larger than this when a map is fitted, so that a map of five tokens is not a poster. */
const fitCellMax = 40;
const zoomCellMax = 96;

/** The whole map in the window, at its top left. */
export function fit(extent: Extent, size: Size): View {
  const cell = Math.min(fitCellMax, size.width / Math.max(1, extent.cols), size.height / Math.max(1, extent.rows));
  return { row: 0, col: 0, cell: cell > 0 ? cell : 1 };
}

/** Keeps the map in the window: no smaller than fitted, no empty margin while there is map to show. */
export function clamp(view: View, extent: Extent, size: Size): View {
  const least = fit(extent, size).cell;
  const cell = Math.min(Math.max(view.cell, least), Math.max(zoomCellMax, least));
  const limit = (value: number, count: number, length: number): number => Math.min(Math.max(0, value), Math.max(0, count - length / cell));
  return { row: limit(view.row, extent.rows, size.height), col: limit(view.col, extent.cols, size.width), cell };
}

/** Zooms by `factor` so that the point (x, y) of the window stays on the same spot of the map. */
export function zoomAbout(view: View, x: number, y: number, factor: number, extent: Extent, size: Size): View {
  const least = fit(extent, size).cell;
  const cell = Math.min(Math.max(view.cell * factor, least), Math.max(zoomCellMax, least));
  return clamp({ row: view.row + y / view.cell - y / cell, col: view.col + x / view.cell - x / cell, cell }, extent, size);
}

/** Moves the map by a drag of (dx, dy) pixels. */
export function pan(view: View, dx: number, dy: number, extent: Extent, size: Size): View {
  return clamp({ row: view.row - dy / view.cell, col: view.col - dx / view.cell, cell: view.cell }, extent, size);
}

/** The cell under a point of the window; undefined beside the map. */
export function cellAt(view: View, x: number, y: number, extent: Extent): Cell | undefined {
  const row = Math.floor(view.row + y / view.cell);
  const col = Math.floor(view.col + x / view.cell);
  return row >= 0 && col >= 0 && row < extent.rows && col < extent.cols ? { row, col } : undefined;
}

/** Half-open ranges of the cells of which any part is in the window. */
export function visible(view: View, extent: Extent, size: Size): { readonly rows: readonly [number, number]; readonly cols: readonly [number, number] } {
  const range = (first: number, count: number, length: number): readonly [number, number] => [Math.max(0, Math.floor(first)), Math.min(count, Math.ceil(first + length / view.cell))];
  return { rows: range(view.row, extent.rows, size.height), cols: range(view.col, extent.cols, size.width) };
}

/** Scrolls as little as needed to bring a cell into the window. */
export function bringIn(view: View, cell: Cell, extent: Extent, size: Size): View {
  const along = (first: number, at: number, length: number): number => at < first ? at : at + 1 > first + length / view.cell ? at + 1 - length / view.cell : first;
  return clamp({ row: along(view.row, cell.row, size.height), col: along(view.col, cell.col, size.width), cell: view.cell }, extent, size);
}

/** Scrolls so that a cell is in the middle of the window, as far as the map's edges allow. */
export function centreOn(view: View, cell: Cell, extent: Extent, size: Size): View {
  return clamp({ row: cell.row + 0.5 - size.height / view.cell / 2, col: cell.col + 0.5 - size.width / view.cell / 2, cell: view.cell }, extent, size);
}
