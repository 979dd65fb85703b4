/** A picture to the pixel values that a model is fed, and the way back: where each fed pixel lies in the picture. */
import { UserError } from '../../contract/errors.ts';
import { centerCrop, cut, mostPixels, type Picture } from './picture.ts';
import type { Processor, Size } from './processor.ts';
import { roundHalfEven } from './python-round.ts';
import { resize } from './resize.ts';

export interface PreparedImage {
  /** [3, height, width] */
  readonly values: Float32Array;
  readonly width: number;
  readonly height: number;
  /** A fed pixel u lies at (u + offset) · scale of the picture, x first; outside of it where the picture was padded. */
  readonly offset: readonly [x: number, y: number];
  readonly scale: readonly [x: number, y: number];
}

/** Errors: `UserError` where the sizes that result are absurd. */
export function prepareImage(picture: Picture, processor: Processor): PreparedImage {
  const { size, square, filter, crop } = processor;
  let now = picture, left = 0, top = 0, scaleX = 1, scaleY = 1;
  if (square && now.width !== now.height) {
    const side = Math.max(now.width, now.height);
    left = -Math.floor((side - now.width) / 2);
    top = -Math.floor((side - now.height) / 2);
    now = cut(now, left, top, side, side, square);
  }
  if (size) {
    const { width, height } = sizeAfter(now, size);
    if (width < 1 || height < 1 || width * height > mostPixels) throw new UserError(`The image of ${picture.width} × ${picture.height} pixels would be resized to ${width} × ${height}.`, 'Crop it, or check the size in preprocessor_config.json.');
    scaleX = now.width / width;
    scaleY = now.height / height;
    now = resize(now, width, height, filter);
  }
  // From here on offsets are in resized pixels.
  let offsetX = left / scaleX, offsetY = top / scaleY;
  if (crop) {
    const { picture: middle, left: x, top: y } = centerCrop(now, crop.width, crop.height);
    now = middle;
    offsetX += x;
    offsetY += y;
  }
  return { values: valuesOf(now, processor), width: now.width, height: now.height, offset: [offsetX, offsetY], scale: [scaleX, scaleY] };
}

/** transformers' get_resize_output_image_size and its relatives; `Math.trunc` is Python's int(). */
export function sizeAfter({ width, height }: Pick<Picture, 'width' | 'height'>, size: Size): { readonly width: number; readonly height: number } {
  const tall = width <= height, shorter = Math.min(width, height), longer = Math.max(width, height);
  const sides = (short: number, long: number): { width: number; height: number } => (tall ? { width: short, height: long } : { width: long, height: short });
  switch (size.kind) {
    case 'exact': return size;
    case 'longest': return sides(Math.max(1, Math.trunc(size.longest * shorter / longer)), size.longest);
    case 'within': { const k = Math.min(size.width / width, size.height / height); return { width: Math.trunc(width * k), height: Math.trunc(height * k) }; }
    case 'shortest': {
      if (size.longest === undefined) return sides(size.shortest, Math.trunc(size.shortest * longer / shorter));
      const raw = longer / shorter * size.shortest > size.longest ? size.longest * shorter / longer : undefined, short = raw === undefined ? size.shortest : roundHalfEven(raw);
      return shorter === short ? { width, height } : sides(short, Math.trunc((raw ?? short) * longer / shorter));
    }
  }
}

function valuesOf({ width, height, rgb }: Picture, { rescale, offset, mean, std, bgr }: Processor): Float32Array {
  const pixels = width * height, out = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++) {
    const table = Float32Array.from({ length: 256 }, (_, byte) => (Math.fround(byte * rescale + offset) - mean[channel]) / std[channel]);
    for (let n = 0, from = bgr ? 2 - channel : channel, into = channel * pixels; n < pixels; n++, from += 3) out[into++] = table[rgb[from]];
  }
  return out;
}
