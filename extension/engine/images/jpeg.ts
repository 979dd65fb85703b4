/** JPEG to RGB as libjpeg does it by default, to the bit, since PIL does: integer "islow" IDCT, triangle upsampling of chroma, its color tables. */
import { DamagedImage } from './damaged.ts';
import { scanJpeg, type Component } from './jpeg-scan.ts';
import { upright, type Picture } from './picture.ts';

/** Upright, as EXIF says. Errors: `DamagedImage`, and what `admit` throws. */
export function decodeJpeg(bytes: Uint8Array, admit: (width: number, height: number) => void): Picture {
  const { width, height, components, quantization, colors, orientation } = scanJpeg(bytes, admit);
  const hMost = Math.max(...components.map(one => one.h)), vMost = Math.max(...components.map(one => one.v));
  const planes = components.map((component): Plane => {
    const table = quantization.get(component.table);
    if (!table) throw new DamagedImage('a quantization table is missing');
    return { ...samples(component, table), width: component.width, height: component.height, h: hMost / component.h, v: vMost / component.v };
  });
  return upright({ width, height, rgb: colored(planes, width, height, colors) }, orientation);
}

/** Samples of a component; `h`, `v`: pixels of the image that a sample is across and down. */
interface Plane { readonly data: Uint8Array; readonly stride: number; readonly width: number; readonly height: number; readonly h: number; readonly v: number }

/** Inverse DCT of every block (jidctint.c). */
function samples({ coefficients, stored, down, across }: Component, table: Uint16Array): Pick<Plane, 'data' | 'stride'> {
  const stride = stored * 8, data = new Uint8Array(stride * down * 8), work = new Int32Array(64);
  for (let row = 0; row < down; row++) for (let column = 0; column < across; column++) inverse(coefficients, (row * stored + column) * 64, table, work, data, row * 8 * stride + column * 8, stride);
  return { data, stride };
}

function inverse(from: Int16Array, base: number, table: Uint16Array, work: Int32Array, out: Uint8Array, at: number, stride: number): void {
  let rest = 0;
  for (let n = 1; n < 64; n++) rest |= from[base + n];
  if (!rest) {
    // An even block, what both passes make of it: most of a large sky, and all of a file that was cut off.
    const value = Math.min(255, Math.max(0, ((((from[base] * table[0]) << 2) * 8192 + (1 << 17)) >> 18) + 128));
    for (let r = 0; r < 8; r++) out.fill(value, at + r * stride, at + r * stride + 8);
    return;
  }
  const e = scratch;
  for (let c = 0; c < 8; c++) {
    for (let n = 0; n < 8; n++) e[n] = from[base + n * 8 + c] * table[n * 8 + c];
    if (!(e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7])) { for (let n = 0; n < 8; n++) work[n * 8 + c] = e[0] << 2; continue; }
    butterfly(e, 11);
    for (let n = 0; n < 8; n++) work[n * 8 + c] = e[n];
  }
  for (let r = 0; r < 8; r++) {
    for (let n = 0; n < 8; n++) e[n] = work[r * 8 + n];
    butterfly(e, 18);
    for (let n = 0; n < 8; n++) { const value = e[n] + 128; out[at + r * stride + n] = value < 0 ? 0 : value > 255 ? 255 : value; }
  }
}

const scratch = new Int32Array(8);

/** Eight frequencies to eight samples in place (Loeffler, Ligtenberg and Moschytz 1989, constants of 13 bits), rounded by `shift` bits. */
function butterfly(e: Int32Array, shift: number): void {
  const even = (e[2] + e[6]) * 4433, t2 = even - e[6] * 15137, t3 = even + e[2] * 6270, t0 = (e[0] + e[4]) * 8192, t1 = (e[0] - e[4]) * 8192;
  const a = t0 + t3, d = t0 - t3, b = t1 + t2, c = t1 - t2;
  const z5 = (e[7] + e[3] + e[5] + e[1]) * 9633, z1 = (e[7] + e[1]) * -7373, z2 = (e[5] + e[3]) * -20995, z3 = (e[7] + e[3]) * -16069 + z5, z4 = (e[5] + e[1]) * -3196 + z5;
  const o0 = e[7] * 2446 + z1 + z3, o1 = e[5] * 16819 + z2 + z4, o2 = e[3] * 25172 + z2 + z3, o3 = e[1] * 12299 + z1 + z4, half = 1 << (shift - 1);
  e[0] = (a + o3 + half) >> shift;
  e[7] = (a - o3 + half) >> shift;
  e[1] = (b + o2 + half) >> shift;
  e[6] = (b - o2 + half) >> shift;
  e[2] = (c + o1 + half) >> shift;
  e[5] = (c - o1 + half) >> shift;
  e[3] = (d + o0 + half) >> shift;
  e[4] = (d - o0 + half) >> shift;
}

/** One row at the size of the image (jdsample.c): triangle filters for factors of two, repetition otherwise. A row at a time, since whole planes would be another 150 MB. */
function upsample({ data, stride, width: across, height: down, h, v }: Plane, y: number, out: Uint8Array, sums: Int32Array): void {
  const near = Math.floor(y / v), width = out.length, smooth = (h === 2 && (v === 1 || v === 2) && across > 2) || (h === 1 && v === 2);
  if (!smooth) {
    const row = near * stride;
    for (let x = 0; x < width; x++) out[x] = data[row + Math.floor(x / h)];
    return;
  }
  const far = v === 1 ? near : Math.min(down - 1, Math.max(0, y % 2 ? near + 1 : near - 1));
  if (h === 1) {
    for (let x = 0, bias = y % 2 ? 2 : 1; x < width; x++) out[x] = (data[near * stride + x] * 3 + data[far * stride + x] + bias) >> 2;
    return;
  }
  // Sums of a column are four times a sample where rows are mixed, and once where not.
  for (let x = 0; x < across; x++) sums[x] = v === 1 ? data[near * stride + x] : data[near * stride + x] * 3 + data[far * stride + x];
  const shift = v === 1 ? 2 : 4, [left, right] = v === 1 ? [1, 2] : [8, 7], last = across - 1;
  for (let x = 0; x < width; x++) {
    const n = x >> 1, odd = x & 1, side = odd ? Math.min(last, n + 1) : Math.max(0, n - 1);
    out[x] = v === 1 && side === n ? sums[n] : (sums[n] * 3 + sums[side] + (odd ? right : left)) >> shift;
  }
}

/** jdcolor.c's YCC to RGB, in 16-bit fixed point. */
function colored(planes: readonly Plane[], width: number, height: number, colors: 'gray' | 'rgb' | 'ycc'): Uint8Array {
  const rgb = new Uint8Array(width * height * 3), rows = planes.map(() => new Uint8Array(width)), sums = new Int32Array(width), [y, cb = y, cr = y] = rows, clip = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);
  for (let row = 0, at = 0; row < height; row++) {
    planes.forEach((plane, n) => upsample(plane, row, rows[n], sums));
    for (let n = 0; n < width; n++, at += 3) {
      if (colors !== 'ycc') { rgb[at] = y[n]; rgb[at + 1] = cb[n]; rgb[at + 2] = cr[n]; continue; }
      const blue = cb[n] - 128, red = cr[n] - 128;
      rgb[at] = clip(y[n] + ((91881 * red + 32768) >> 16));
      rgb[at + 1] = clip(y[n] + ((-22554 * blue + 32768 - 46802 * red) >> 16));
      rgb[at + 2] = clip(y[n] + ((116130 * blue + 32768) >> 16));
    }
  }
  return rgb;
}
