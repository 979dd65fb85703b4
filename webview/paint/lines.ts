/** The line view on a canvas: both token columns and the lines between them. */
import { cut } from '../marks/axis.ts';
import type { Line, LineLayout } from '../marks/lines.ts';
import { shown } from '../marks/tokens.ts';
import type { Look } from './axes.ts';

export interface LinesPicture {
  readonly lines: readonly Line[]; readonly layout: LineLayout; readonly rows: number; readonly cols: number; readonly width: number;
  readonly rowLabel: (index: number) => string; readonly colLabel: (index: number) => string;
  /** Lines of other rows stand back. */
  readonly row: number | undefined; readonly col: number | undefined;
}

export const lineLabelRoom = 110, lineHead = 22;

/** Into a context whose origin is the corner of the picture. */
export function drawLines(context: CanvasRenderingContext2D, { lines, layout, rows, cols, width, rowLabel, colLabel, row, col }: LinesPicture, look: Look): void {
  const left = lineLabelRoom, right = width - lineLabelRoom, measure = (text: string): number => context.measureText(text).width, alone = row !== undefined;
  context.font = look.font;
  context.textBaseline = 'middle';
  context.fillStyle = look.ink;
  context.globalAlpha = 0.7;
  context.textAlign = 'right';
  context.fillText('query', left - 8, 9);
  context.textAlign = 'left';
  context.fillText('key', right + 8, 9);
  context.strokeStyle = look.accent;
  for (const line of lines) {
    const mine = !alone || line.row === row;
    context.globalAlpha = mine ? Math.max(0.04, line.strength) : line.strength * 0.06;
    context.lineWidth = mine && alone ? 0.5 + 3 * line.strength : 0.5 + 1.5 * line.strength;
    context.beginPath();
    context.moveTo(left, lineHead + line.y0);
    context.bezierCurveTo(left + (right - left) * 0.3, lineHead + line.y0, right - (right - left) * 0.3, lineHead + line.y1, right, lineHead + line.y1);
    context.stroke();
  }
  const label = (text: string, x: number, y: number, near: boolean): void => {
    context.globalAlpha = near || !alone ? 1 : 0.6;
    context.fillStyle = near ? look.accent : look.ink;
    context.fillText(cut(shown(text), lineLabelRoom - 12, measure), x, y);
  };
  context.textAlign = 'right';
  for (let i = 0; i < rows; i++) label(rowLabel(i), left - 8, lineHead + (i + 0.5) * layout.rowStep, i === row);
  context.textAlign = 'left';
  for (let j = 0; j < cols; j++) label(colLabel(j), right + 8, lineHead + (j + 0.5) * layout.colStep, j === col);
  context.globalAlpha = 1;
}
