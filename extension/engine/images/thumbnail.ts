/** A small PNG of a picture, for a trace to carry. */
import { PNG } from 'pngjs';
import type { Picture } from './picture.ts';
import { resize } from './resize.ts';

export const longestSide = 640;

/** At most 640 pixels a side. */
export function thumbnailPng(picture: Picture): Uint8Array {
  const factor = Math.min(1, longestSide / Math.max(picture.width, picture.height)), side = (length: number): number => Math.max(1, Math.round(length * factor));
  const { width, height, rgb } = resize(picture, side(picture.width), side(picture.height), 'bilinear'), png = new PNG({ width, height });
  for (let n = 0; n < width * height; n++) png.data.set([rgb[n * 3], rgb[n * 3 + 1], rgb[n * 3 + 2], 255], n * 4);
  return PNG.sync.write(png, { colorType: 2 });
}
