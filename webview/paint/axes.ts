/** Token labels beside a map, its border, and the cell in focus. */
import { axisLabels, cut } from '../marks/axis.ts';
import type { Cell, Extent, Size, View } from '../marks/view.ts';

export interface Axes {
  /** Room for the labels, CSS pixels. */
  readonly left: number; readonly top: number;
  readonly view: View; readonly size: Size; readonly extent: Extent;
  readonly label: (index: number) => string;
  readonly focus?: Cell | undefined;
}

const pitch = 13, gap = 6;

/** Sizes the canvas and paints onto a transparent ground, in the page's font and colours. */
export function paintAxes(canvas: HTMLCanvasElement, axes: Axes): void {
  const { left, top, size } = axes, ratio = devicePixelRatio, width = left + size.width, height = top + size.height;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d')!, style = getComputedStyle(document.body);
  context.scale(ratio, ratio);
  drawAxes(context, axes, { ink: style.color, accent: style.getPropertyValue('--vscode-focusBorder') || style.color, font: `11px ${style.getPropertyValue('--vscode-editor-font-family') || 'monospace'}` });
}

/** Both axes into any context whose origin is the frame's corner. */
export function drawAxes(context: CanvasRenderingContext2D, { left, top, view, size, extent, label, focus }: Axes, look: { readonly ink: string; readonly accent: string; readonly font: string }): void {
  context.font = look.font;
  context.textBaseline = 'middle';
  const measure = (text: string): number => context.measureText(text).width;
  const write = (index: number, room: number, x: number, y: number): void => {
    const near = focus && (x < 0 ? index === focus.row : index === focus.col);
    context.fillStyle = near ? look.accent : look.ink;
    context.globalAlpha = focus && !near ? 0.75 : 1;
    context.fillText(cut(label(index), room, measure), x, y);
    context.globalAlpha = 1;
  };
  const within = { rows: Math.min(size.height, (extent.rows - view.row) * view.cell), cols: Math.min(size.width, (extent.cols - view.col) * view.cell) };
  context.textAlign = 'right';
  context.save();
  context.translate(left, top);
  for (const { index, at } of axisLabels(extent.rows, view.row, view.cell, within.rows, pitch)) write(index, left - gap - 16, -gap, at);
  context.restore();
  context.textAlign = 'left';
  for (const { index, at } of axisLabels(extent.cols, view.col, view.cell, within.cols, pitch)) {
    context.save();
    context.translate(left + at, top - gap);
    context.rotate(-Math.PI / 2);
    const near = focus?.col === index;
    context.fillStyle = near ? look.accent : look.ink;
    context.globalAlpha = focus && !near ? 0.75 : 1;
    context.fillText(cut(label(index), top - gap - 14, measure), 0, 0);
    context.restore();
  }
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
