/** Pixels of an image, 8 bits a channel, and the few things that are done to them exactly as PIL does. */

/** RGB, row-major [height, width, 3]. */
export interface Picture { readonly width: number; readonly height: number; readonly rgb: Uint8Array }

/** Largest image that is decoded: a progressive JPEG of it takes 600 MB. */
export const mostPixels = 50_000_000;

/** PIL's `ImageOps.exif_transpose`: `orientation` 1 to 8 as EXIF has it; anything else changes nothing. */
export function upright(picture: Picture, orientation: number): Picture {
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const { width, height, rgb } = picture, turned = orientation >= 5, w = turned ? height : width, h = turned ? width : height, out = new Uint8Array(rgb.length);
  for (let y = 0, at = 0; y < h; y++) for (let x = 0; x < w; x++, at += 3) {
    const [sx, sy] = source[orientation as keyof typeof source](x, y, width - 1, height - 1), from = (sy * width + sx) * 3;
    out[at] = rgb[from];
    out[at + 1] = rgb[from + 1];
    out[at + 2] = rgb[from + 2];
  }
  return { width: w, height: h, rgb: out };
}

/** Where pixel (x, y) of the upright picture lies in the stored one, whose last column and row are `r` and `b`. */
const source = {
  2: (x: number, y: number, r: number) => [r - x, y], 3: (x: number, y: number, r: number, b: number) => [r - x, b - y], 4: (x: number, y: number, _: number, b: number) => [x, b - y],
  5: (x: number, y: number) => [y, x], 6: (x: number, y: number, _: number, b: number) => [y, b - x], 7: (x: number, y: number, r: number, b: number) => [r - y, b - x], 8: (x: number, y: number, r: number) => [r - y, x],
} as const;

/**
 * The middle `width` × `height` pixels as transformers' `center_crop` takes them: offsets rounded down, zeros around a picture that is smaller.
 * `left` and `top` are where the result begins in the picture; negative where it was padded.
 */
export function centerCrop(picture: Picture, width: number, height: number): { readonly picture: Picture; readonly left: number; readonly top: number } {
  const left = Math.floor((picture.width - width) / 2), top = Math.floor((picture.height - height) / 2);
  return { picture: cut(picture, left, top, width, height), left, top };
}

/** A rectangle of the picture; `fill` where it reaches beyond. */
export function cut(picture: Picture, left: number, top: number, width: number, height: number, fill: readonly [number, number, number] = [0, 0, 0]): Picture {
  const out = new Uint8Array(width * height * 3);
  if (fill.some(Boolean)) for (let at = 0; at < out.length; at += 3) out.set(fill, at);
  const from = Math.max(0, left), to = Math.min(picture.width, left + width);
  for (let y = Math.max(0, -top); y < height && top + y < picture.height && from < to; y++) {
    const row = (top + y) * picture.width;
    out.set(picture.rgb.subarray((row + from) * 3, (row + to) * 3), (y * width + from - left) * 3);
  }
  return { width, height, rgb: out };
}
