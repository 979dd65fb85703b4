/** An image with attention over it: cells in the colors of a map, smooth or exact, hatched sinks, the part that the model never saw greyed. */
import { cellRectangle, type Grid, type Rectangle } from '../../extension/contract/image-grid.ts';
import type { TraceImage } from '../../extension/contract/trace.ts';
import { lutIndex } from '../../extension/contract/viridis.ts';
import { colourTable, type ColourMapId } from './colour-maps.ts';

export interface ImageMap {
  readonly image: TraceImage;
  readonly picture: ImageBitmap;
  readonly grid: Grid;
  /** [rows, columns]; NaN is not painted. */
  readonly values: Float32Array;
  /** Value of the last color. */
  readonly top: number;
  readonly sinks: Float32Array;
  /** Sinks are hatched, not only outlined by their color. */
  readonly hatch: boolean;
  readonly colours: ColourMapId;
  readonly opacity: number;
  readonly smooth: boolean;
  readonly lines: boolean;
  readonly focus?: number;
  readonly chosen?: { readonly grid: Grid; readonly cell: number };
  readonly accent: string;
}

/** The largest size of the image in `room`; small ones are enlarged at most eight times. */
export function fitImage(image: Pick<TraceImage, 'width' | 'height'>, room: { readonly width: number; readonly height: number }): { readonly width: number; readonly height: number } {
  const factor = Math.min(room.width / image.width, room.height / image.height, Math.max(1, 640 / Math.max(image.width, image.height)) * 8);
  return { width: Math.max(1, Math.floor(image.width * factor)), height: Math.max(1, Math.floor(image.height * factor)) };
}

/** Paints into a context whose unit is a CSS pixel and whose size is `size`. */
export function paintImageMap(context: CanvasRenderingContext2D, map: ImageMap, size: { readonly width: number; readonly height: number }): void {
  const { image, picture, grid, values, opacity, smooth } = map, fx = size.width / image.width, fy = size.height / image.height;
  const onScreen = (of: Rectangle): { x: number; y: number; w: number; h: number } => ({ x: of.left * fx, y: of.top * fy, w: (of.right - of.left) * fx, h: (of.bottom - of.top) * fy });
  context.save();
  context.beginPath();
  context.rect(0, 0, size.width, size.height);
  context.clip();
  context.imageSmoothingEnabled = size.width < 4 * picture.width;
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, size.width, size.height);
  const first = onScreen(cellRectangle(image, grid, 0)), last = onScreen(cellRectangle(image, grid, grid.rows * grid.columns - 1)), all = { x: first.x, y: first.y, w: last.x + last.w - first.x, h: last.y + last.h - first.y };
  if (grid.rows > 0) {
    const heat = heatOf(grid, values, map.top, map.colours);
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = smooth;
    context.drawImage(heat, all.x, all.y, all.w, all.h);
    context.globalAlpha = 1;
    // Cropped parts were never seen: grey, and no color of the map.
    context.fillStyle = 'rgb(128 128 128 / 75%)';
    for (const [x, y, w, h] of [[0, 0, size.width, all.y], [0, all.y + all.h, size.width, size.height - all.y - all.h], [0, all.y, all.x, all.h], [all.x + all.w, all.y, size.width - all.x - all.w, all.h]]) if (w > 0.5 && h > 0.5) context.fillRect(x, y, w, h);
  }
  context.lineWidth = 1;
  if (map.lines) {
    context.strokeStyle = 'rgb(255 255 255 / 35%)';
    context.beginPath();
    for (let c = 0; c <= grid.columns; c++) { const x = Math.round(all.x + all.w * c / grid.columns) + 0.5; context.moveTo(x, all.y); context.lineTo(x, all.y + all.h); }
    for (let r = 0; r <= grid.rows; r++) { const y = Math.round(all.y + all.h * r / grid.rows) + 0.5; context.moveTo(all.x, y); context.lineTo(all.x + all.w, y); }
    context.stroke();
  }
  for (let cell = 0; map.hatch && cell < grid.rows * grid.columns; cell++) if (map.sinks[cell] > 0) hatch(context, onScreen(cellRectangle(image, grid, cell)));
  if (map.chosen) outline(context, onScreen(cellRectangle(image, map.chosen.grid, map.chosen.cell)), '#ffffff', map.accent, 3);
  if (map.focus !== undefined) outline(context, onScreen(cellRectangle(image, grid, map.focus)), '#000000', '#ffffff', 1);
  context.restore();
}

function heatOf({ rows, columns }: Grid, values: Float32Array, top: number, colours: ColourMapId): HTMLCanvasElement {
  const heat = document.createElement('canvas'), table = colourTable[colours];
  heat.width = columns;
  heat.height = rows;
  const context = heat.getContext('2d')!, pixels = context.createImageData(columns, rows);
  for (let cell = 0; cell < rows * columns; cell++) {
    if (!Number.isNaN(values[cell])) pixels.data.set(table.subarray(lutIndex(top > 0 ? values[cell] / top : 0) * 4, lutIndex(top > 0 ? values[cell] / top : 0) * 4 + 4), cell * 4);
  }
  context.putImageData(pixels, 0, 0);
  return heat;
}

interface Box { readonly x: number; readonly y: number; readonly w: number; readonly h: number }

function hatch(context: CanvasRenderingContext2D, { x, y, w, h }: Box): void {
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.fillStyle = 'rgb(0 0 0 / 45%)';
  context.fillRect(x, y, w, h);
  context.strokeStyle = 'rgb(255 255 255 / 85%)';
  context.beginPath();
  for (let at = -h; at < w; at += 6) { context.moveTo(x + at, y + h); context.lineTo(x + at + h, y); }
  context.stroke();
  context.restore();
}

function outline(context: CanvasRenderingContext2D, { x, y, w, h }: Box, outer: string, inner: string, width: number): void {
  context.lineWidth = width + 2;
  context.strokeStyle = outer;
  context.strokeRect(x, y, w, h);
  context.lineWidth = width;
  context.strokeStyle = inner;
  context.strokeRect(x, y, w, h);
}
