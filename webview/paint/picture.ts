/** A map as a PNG: title, labels, cells and legend as on the screen, on the theme's ground. */
import { ticks, scaleName, type Scale } from '../marks/scale.ts';
import type { Extent, Size, View } from '../marks/view.ts';
import { viridisCss } from '../../extension/contract/viridis.ts';
import { drawAxes } from './axes.ts';
import type { PlacedTile } from './heat.ts';
import { heat2d } from './heat-2d.ts';
import { isLight, maskedColour, themeColour } from './theme.ts';

export interface PictureOf {
  readonly title: string; readonly tiles: readonly PlacedTile[]; readonly view: View; readonly size: Size; readonly scale: Scale; readonly extent: Extent;
  readonly left: number; readonly top: number; readonly rowLabel: (index: number) => string; readonly colLabel: (index: number) => string;
}

const ratio = 2, head = 26, foot = 48;

/** PNG bytes, twice the screen's resolution. */
export async function mapPicture(of: PictureOf): Promise<Uint8Array> {
  const shown: Size = { width: Math.min(of.size.width, (of.extent.cols - of.view.col) * of.view.cell), height: Math.min(of.size.height, (of.extent.rows - of.view.row) * of.view.cell) };
  const width = of.left + Math.max(shown.width, 400) + 16, height = head + of.top + shown.height + foot, background = themeColour('--vscode-editor-background', [30, 30, 30]), ink = isLight() ? '#222' : '#ddd';
  const canvas = document.createElement('canvas'), cells = document.createElement('canvas'), context = canvas.getContext('2d')!;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  context.scale(ratio, ratio);
  context.fillStyle = `rgb(${background.join(' ')})`;
  context.fillRect(0, 0, width, height);
  heat2d(cells).draw({ view: of.view, size: shown, devicePixels: ratio, scale: of.scale, tiles: of.tiles, masked: maskedColour(), background });
  context.save();
  context.translate(0, head);
  context.drawImage(cells, of.left, of.top, shown.width, shown.height);
  drawAxes(context, { ...of, size: shown }, { ink, accent: ink, font: '11px monospace' });
  context.restore();
  context.fillStyle = ink;
  context.textAlign = 'left';
  context.font = 'bold 13px sans-serif';
  context.fillText(of.title, 8, 14);
  const y = height - 34, bar = 240;
  for (let i = 0; i < bar; i++) { context.fillStyle = viridisCss(i / bar); context.fillRect(of.left + i, y, 1, 8); }
  context.fillStyle = ink;
  context.font = '10px sans-serif';
  for (const { at, text } of ticks(of.scale)) {
    context.textAlign = at === 0 ? 'left' : at === 1 ? 'right' : 'center';
    context.fillText(text, of.left + at * bar, y + 16);
  }
  context.textAlign = 'left';
  context.fillText(`probability, ${scaleName(of.scale.kind)}`, of.left, y + 28);
  context.fillText('not visible to the query', of.left + bar + 36, y + 5);
  context.fillStyle = `rgb(${maskedColour().join(' ')})`;
  context.fillRect(of.left + bar + 20, y - 2, 11, 11);
  context.strokeStyle = ink;
  context.lineWidth = 0.5;
  context.strokeRect(of.left + bar + 20, y - 2, 11, 11);
  const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('The browser could not make a picture of this map.');
  return new Uint8Array(await blob.arrayBuffer());
}
