/** What the Attention tab shows as a PNG: title, maps (or lines) side by side with their axes, and the legend, on the theme's ground. */
import { ticks, scaleName, type Scale } from '../marks/scale.ts';
import { colourCss, type ColourMapId } from './colour-maps.ts';
import { divergingColours } from './diverging.ts';
import { isLight, maskedColour, themeColour } from './theme.ts';

/** One head: `draw` paints it at the origin, without its title. */
export interface PicturePane { readonly title: string; readonly width: number; readonly height: number; readonly draw: (context: CanvasRenderingContext2D, ink: string) => void }
export interface PictureOf { readonly title: string; readonly panes: readonly PicturePane[]; readonly scale: Scale; readonly colours: ColourMapId; /** Of the legend. */ readonly what: string; readonly lines: boolean; /** Diverging colours. */ readonly signed: boolean }

/** Twice the screen's resolution. */
export const pictureRatio = 2;
const head = 30, paneHead = 22, foot = 56, margin = 16, across = 3;

/** PNG bytes. Errors: an Error where the browser cannot make a picture of this size. */
export async function pictureOf({ title, panes, scale, colours, what, lines, signed }: PictureOf): Promise<Uint8Array> {
  const rows: PicturePane[][] = [];
  panes.forEach((pane, i) => { if (i % across) rows.at(-1)!.push(pane); else rows.push([pane]); });
  const rowHeight = (row: readonly PicturePane[]): number => paneHead + Math.max(...row.map(pane => pane.height)) + margin;
  const width = Math.max(560, ...rows.map(row => margin + row.reduce((sum, pane) => sum + pane.width + margin, 0))), height = head + rows.reduce((sum, row) => sum + rowHeight(row), 0) + foot;
  const background = themeColour('--vscode-editor-background', [30, 30, 30]), ink = isLight() ? '#222' : '#ddd', canvas = document.createElement('canvas'), context = canvas.getContext('2d')!;
  canvas.width = width * pictureRatio;
  canvas.height = height * pictureRatio;
  context.scale(pictureRatio, pictureRatio);
  context.fillStyle = `rgb(${background.join(' ')})`;
  context.fillRect(0, 0, width, height);
  const write = (text: string, x: number, y: number, font: string, room?: number): void => { context.fillStyle = ink; context.font = font; context.textBaseline = 'middle'; context.fillText(text, x, y, room); };
  context.textAlign = 'left';
  write(title, margin, 16, 'bold 13px sans-serif', width - 2 * margin);
  let y = head;
  for (const row of rows) {
    let x = margin;
    for (const pane of row) {
      context.textAlign = 'left';
      write(pane.title, x, y + 9, '12px sans-serif', Math.max(pane.width, 300));
      context.save();
      context.translate(x, y + paneHead);
      pane.draw(context, ink);
      context.restore();
      x += pane.width + margin;
    }
    y += rowHeight(row);
  }
  legend(context, { x: margin, y: height - 44, ink, scale, colours, what, lines, signed });
  const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('The browser could not make a picture of this size.');
  return new Uint8Array(await blob.arrayBuffer());
}

function legend(context: CanvasRenderingContext2D, { x, y, ink, scale, colours, what, lines, signed }: { readonly x: number; readonly y: number; readonly ink: string; readonly scale: Scale; readonly colours: ColourMapId; readonly what: string; readonly lines: boolean; readonly signed: boolean }): void {
  const diverging = divergingColours(), coloured = (t: number): string => { const at = Math.round(t * 255) * 4; return signed ? `rgb(${diverging[at]} ${diverging[at + 1]} ${diverging[at + 2]})` : colourCss(colours, t); };
  const bar = 240;
  for (let i = 0; i < bar; i++) {
    context.globalAlpha = lines ? Math.max(0.04, i / bar) : 1;
    context.fillStyle = lines ? ink : coloured(i / bar);
    context.fillRect(x + i, y, 1, 8);
  }
  context.globalAlpha = 1;
  context.fillStyle = ink;
  context.font = '10px sans-serif';
  context.textBaseline = 'alphabetic';
  for (const { at, text } of ticks(scale)) {
    context.textAlign = at === 0 ? 'left' : at === 1 ? 'right' : 'center';
    context.fillText(text, x + at * bar, y + 18);
  }
  context.textAlign = 'left';
  context.fillText(`${what}, ${scaleName(scale.kind)}`, x, y + 34);
  if (lines) return;
  context.fillText('not visible to the query', x + bar + 40, y + 7);
  context.fillStyle = `rgb(${maskedColour().join(' ')})`;
  context.fillRect(x + bar + 22, y - 2, 11, 11);
  context.strokeStyle = ink;
  context.lineWidth = 0.5;
  context.strokeRect(x + bar + 22, y - 2, 11, 11);
}
