/** The line view: queries in a column on the left, keys on the right, a line for every cell that can be seen. */

/** More cells than this along an axis are no longer told apart. */
export const mostLineCells = 96;
/** Weights below this share of the largest are left out: their lines would not show. */
const faintest = 0.01;
/** Lines that are drawn at most, the strongest. */
const mostLines = 2_000;

export interface Line { readonly row: number; readonly col: number; readonly value: number; /** Opacity in (0, 1]. */ readonly strength: number; /** CSS pixels of the middles of both ends. */ readonly y0: number; readonly y1: number }
export interface LineLayout { readonly rowStep: number; readonly colStep: number; readonly height: number }

/** Both columns are as high as the longer one needs; steps between 13 and 26 pixels. */
export function lineLayout(rows: number, cols: number, room: number): LineLayout {
  const longest = Math.max(rows, cols, 1), step = Math.min(26, Math.max(13, room / longest));
  return { rowStep: step, colStep: step, height: step * longest };
}

/** `values` [row, col]; NaN is no line. Weakest first, so that strong lines lie on top. `position`: value → [0, 1], the legend's scale. */
export function linesOf(values: Float32Array, rows: number, cols: number, layout: LineLayout, position: (value: number) => number): Line[] {
  const lines: Line[] = [];
  for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) {
    const value = values[row * cols + col], strength = Number.isFinite(value) ? position(value) : 0;
    if (strength > faintest) lines.push({ row, col, value, strength, y0: (row + 0.5) * layout.rowStep, y1: (col + 0.5) * layout.colStep });
  }
  lines.sort((a, b) => a.strength - b.strength);
  return lines.slice(-mostLines);
}
