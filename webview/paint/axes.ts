/** Token labels beside a map, its border, and the cell in focus. */
import { axisLabels, cut, labelStep, withFocus, type AxisLabel } from '../marks/axis.ts';
import type { Extent, Size, View } from '../marks/view.ts';

export interface Axes {
  /** Room for the labels, CSS pixels. */
  readonly left: number; readonly top: number;
  /** Of `left`, what lies between the labels of the queries and the map: the key that stands apart. */
  readonly apart?: number;
  /** Room under the map: the bars of a row. */
  readonly bottom?: number;
  readonly view: View; readonly size: Size; readonly extent: Extent;
  /** Of a query's row and of a key's column; labels are `step` cells apart. */
  readonly rowLabel: (index: number, step: number) => string; readonly colLabel: (index: number, step: number) => string;
  /** Either part is undefined where the focus has no cell of its own. */
  readonly focus?: { readonly row: number | undefined; readonly col: number | undefined } | undefined;
  /** The row that is shown as bars. */
  readonly chosen?: number | undefined;
  /** Selected cells, half-open, of one axis. */
  readonly span?: { readonly of: 'rows' | 'cols'; readonly cells: readonly [number, number] } | undefined;
}

const pitch = 13, gap = 6;

/** Sizes the canvas and paints onto a transparent ground, in the page's font and colours. */
export function paintAxes(canvas: HTMLCanvasElement, axes: Axes): CanvasRenderingContext2D {
  const { left, top, bottom = 0, size } = axes, ratio = devicePixelRatio, width = left + size.width, height = top + size.height + bottom;
  const context = canvas.getContext('2d')!, wide = Math.round(width * ratio), high = Math.round(height * ratio);
  // A canvas that is given its size again is made anew: much for every frame of a drag.
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  drawAxes(context, axes, look());
  return context;
}

export interface Look { readonly ink: string; readonly accent: string; readonly font: string }

/** Ink, accent and font of the page. */
export function look(): Look {
  const style = getComputedStyle(document.body);
  return { ink: style.color, accent: style.getPropertyValue('--vscode-textLink-foreground') || style.color, font: `11px ${style.getPropertyValue('--vscode-editor-font-family') || 'monospace'}` };
}

/** Both axes into any context whose origin is the frame's corner. */
export function drawAxes(context: CanvasRenderingContext2D, { left, top, apart = 0, view, size, extent, rowLabel, colLabel, focus, chosen, span }: Axes, look: Look): void {
  context.font = look.font;
  context.textBaseline = 'middle';
  const measure = (text: string): number => context.measureText(text).width;
  const write = (text: string, near: boolean, room: number, x: number, y: number): void => {
    context.fillStyle = near ? look.accent : look.ink;
    context.globalAlpha = focus && !near ? 0.75 : 1;
    context.fillText(cut(text, room, measure), x, y);
    context.globalAlpha = 1;
  };
  const step = labelStep(view.cell, pitch), within = { rows: Math.min(size.height, (extent.rows - view.row) * view.cell), cols: Math.min(size.width, (extent.cols - view.col) * view.cell) };
  context.textAlign = 'right';
  context.save();
  context.translate(left - apart, top);
  const focused = (index: number | undefined, first: number, length: number): AxisLabel | undefined => {
    const at = index === undefined ? -1 : (index + 0.5 - first) * view.cell;
    return index !== undefined && at >= 0 && at <= length ? { index, at } : undefined;
  };
  for (const { index, at } of withFocus(axisLabels(extent.rows, view.row, view.cell, within.rows, pitch), focused(focus?.row, view.row, within.rows), pitch)) write(rowLabel(index, step), index === focus?.row, left - apart - gap - 16, -gap, at);
  context.restore();
  context.textAlign = 'left';
  for (const { index, at } of withFocus(axisLabels(extent.cols, view.col, view.cell, within.cols, pitch), focused(focus?.col, view.col, within.cols), pitch)) {
    context.save();
    context.translate(left + at, top - gap);
    context.rotate(-Math.PI / 2);
    write(colLabel(index, step), index === focus?.col, top - gap - 14, 0, 0);
    context.restore();
  }
  if (span) band(context, span, { left, top, apart, view, right: left + within.cols, bottom: top + within.rows }, look.accent);
  if (chosen !== undefined) mark(context, look.accent, left - apart - 4, top + (chosen - view.row) * view.cell, view.cell, top, top + within.rows);
  if (focus?.row !== undefined && focus.col !== undefined) outline(context, { x: left + (focus.col - view.col) * view.cell, y: top + (focus.row - view.row) * view.cell, cell: view.cell, left, top, right: left + within.cols, bottom: top + within.rows });
  context.fillStyle = look.ink;
  context.globalAlpha = 0.7;
  context.fillText('key →', left, 7);
  context.save();
  context.translate(8, top + Math.min(within.rows, size.height));
  context.rotate(-Math.PI / 2);
  context.textAlign = 'right';
  context.fillText('← query', Math.min(within.rows, size.height), 0);
  context.restore();
  context.globalAlpha = 1;
}

/** A thin double frame that shows on every colour, cut at the map's edges. */
function outline(context: CanvasRenderingContext2D, { x, y, cell, left, top, right, bottom }: { readonly x: number; readonly y: number; readonly cell: number; readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }): void {
  if (cell < 3) return;
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  context.lineWidth = 1;
  for (const [colour, inset] of [['#000', -0.5], ['#fff', 0.5]] as const) { context.strokeStyle = colour; context.strokeRect(x + inset, y + inset, cell - 2 * inset, cell - 2 * inset); }
  context.restore();
}

/** A shade over the labels of selected cells, and thin lines over the map at both of their ends. */
function band(context: CanvasRenderingContext2D, { of, cells }: NonNullable<Axes['span']>, { left, top, apart, view, right, bottom }: { readonly left: number; readonly top: number; readonly apart: number; readonly view: View; readonly right: number; readonly bottom: number }, colour: string): void {
  const rows = of === 'rows', begin = rows ? top : left, end = rows ? bottom : right, first = rows ? view.row : view.col, at = (cell: number): number => begin + (cell - first) * view.cell, from = Math.max(begin, at(cells[0])), to = Math.min(end, Math.max(at(cells[1]), at(cells[0]) + 2));
  if (to <= from) return;
  context.fillStyle = colour;
  context.globalAlpha = 0.22;
  if (rows) context.fillRect(18, from, left - apart - 20, to - from); else context.fillRect(from, 14, to - from, top - 16);
  context.globalAlpha = 1;
  for (const edge of [at(cells[0]), at(cells[1])]) if (edge >= begin && edge <= end) { if (rows) context.fillRect(left, edge - 0.5, right - left, 1); else context.fillRect(edge - 0.5, top, 1, bottom - top); }
}

/** A bar beside the label of the chosen row. */
function mark(context: CanvasRenderingContext2D, colour: string, x: number, y: number, cell: number, top: number, bottom: number): void {
  const from = Math.max(top, y), to = Math.min(bottom, y + Math.max(2, cell));
  if (to <= from) return;
  context.fillStyle = colour;
  context.fillRect(x, from, 3, to - from);
}
