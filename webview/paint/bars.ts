/** Bars beside a map: the key that stands apart, a bar for every row; and the chosen row, a bar for every column. */
import { cut } from '../marks/axis.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import type { Size, View } from '../marks/view.ts';
import type { Look } from './axes.ts';

/** Shares of the key that stands apart, or of a span of keys: `values` evenly over the rows [first, last), NaN where it is not visible. */
export interface SinkColumn { readonly first: number; readonly last: number; readonly values: Float32Array; readonly title: string; /** What a bar as wide as the column stands for; 1 when undefined. */ readonly most?: number }

/** Bars in `width` pixels left of (x, top), and their title upright above. */
export function drawSinkColumn(context: CanvasRenderingContext2D, column: SinkColumn, at: { readonly x: number; readonly top: number; readonly width: number; readonly view: View; readonly size: Size; readonly rows: number }, look: Look): void {
  const { x, top, width, view, size, rows } = at, height = Math.min(size.height, (rows - view.row) * view.cell), step = (column.last - column.first) / Math.max(1, column.values.length) * view.cell;
  context.save();
  context.beginPath();
  context.rect(x, top, width, height);
  context.clip();
  context.fillStyle = look.ink;
  context.globalAlpha = 0.1;
  context.fillRect(x, top, width, height);
  context.globalAlpha = 1;
  context.fillStyle = look.accent;
  column.values.forEach((value, n) => {
    if (!(value > 0)) return;
    const y = top + (column.first - view.row) * view.cell + n * step, inset = step >= 6 ? 1 : 0;
    context.fillRect(x, y + inset, Math.max(1, width * Math.min(1, value / (column.most ?? 1))), Math.max(1, step - 2 * inset));
  });
  context.restore();
  context.save();
  context.translate(x + width / 2, top - 6);
  context.rotate(-Math.PI / 2);
  context.font = look.font;
  context.fillStyle = look.accent;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.fillText(cut(column.title, top - 20, text => context.measureText(text).width), 0, 0);
  context.restore();
}

/** Bars of `values` (one a column; NaN: not visible) under a map, the largest as high as there is room; where columns are thinner than a pixel, the largest of each. */
export function drawRowBars(context: CanvasRenderingContext2D, values: Float32Array, at: { readonly left: number; readonly top: number; readonly height: number; readonly view: View; readonly size: Size; readonly label: string; /** Weights: bars below 0 hang from the middle. */ readonly signed: boolean }, look: Look): void {
  const { left, top, height, view, size, label, signed } = at, room = height - 18, width = Math.min(size.width, (values.length - view.col) * view.cell), base = top + height - 4;
  const first = Math.max(0, Math.floor(view.col)), last = Math.min(values.length, Math.ceil(view.col + width / view.cell));
  let most = 0;
  const far = (value: number): number => (signed ? Math.abs(value) : value), zero = signed ? base - room / 2 : base, reach = signed ? room / 2 : room;
  for (let col = first; col < last; col++) if (far(values[col]) > most && far(values[col]) < Infinity) most = far(values[col]);
  context.font = look.font;
  context.fillStyle = look.ink;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  context.globalAlpha = 0.8;
  context.fillText(signed ? shortNumber(most) : most > 0 ? percent(most) : '0%', left - 6, base - room, left - 10);
  context.fillText(label, left - 6, base - 5, left - 10);
  context.globalAlpha = 0.25;
  context.fillRect(left, zero, width, 1);
  context.fillRect(left, base - room, width, 1);
  context.globalAlpha = 1;
  context.fillStyle = look.accent;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  for (let x = 0; most > 0 && x < width;) {
    const from = Math.floor(view.col + x / view.cell), end = Math.max(x + 1, (from + 1 - view.col) * view.cell);
    let value = 0;
    for (let col = from; col < Math.min(values.length, Math.max(from + 1, Math.floor(view.col + end / view.cell))); col++) if (far(values[col]) > Math.abs(value)) value = values[col];
    const bar = Math.abs(value) / most * reach, gap = view.cell >= 4 ? 1 : 0;
    if (bar > 0) context.fillRect(left + x, value > 0 ? zero - bar : zero, Math.max(0.5, end - x - gap), bar);
    x = end;
  }
  context.restore();
}
