/** PIL's `Image.resize`, to the bit: antialiased filters in 22-bit fixed point, one direction after the other, rounded to 8 bits between. */
import type { Picture } from './picture.ts';

/** PIL's numbers of its filters, as `resample` in preprocessor_config.json has them. */
export type Filter = 'nearest' | 'lanczos' | 'bilinear' | 'bicubic' | 'box' | 'hamming';
export const filters: readonly Filter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
const kernels: Readonly<Record<Exclude<Filter, 'nearest'>, { readonly support: number; weight(x: number): number }>> = {
  box: { support: 0.5, weight: x => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: x => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: x => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))) },
  // Keys 1981 with a = −0.5.
  bicubic: { support: 2, weight: x => { const t = Math.abs(x); return t < 1 ? ((1.5 * t - 2.5) * t) * t + 1 : t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0; } },
  lanczos: { support: 3, weight: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** As `Image.resize((width, height), filter)`; the picture itself where the size stays. */
export function resize(picture: Picture, width: number, height: number, filter: Filter): Picture {
  if (width === picture.width && height === picture.height) return picture;
  if (filter === 'nearest') return nearest(picture, width, height);
  const across = (from: Picture): Picture => (width === from.width ? from : { width, height: from.height, rgb: pass(from.rgb, { lines: from.height, from: from.width, to: width, line: from.width * 3, step: 3, outLine: width * 3 }, filter) });
  const down = (from: Picture): Picture => (height === from.height ? from : { width: from.width, height, rgb: pass(from.rgb, { lines: from.width, from: from.height, to: height, line: 3, step: from.width * 3, outLine: 3 }, filter) });
  // Since Pillow 13 (its pull request 9549): where much more height goes than width, the height goes first. Its bytes are rounded between.
  const rows = picture.height - height;
  return rows > 0 && rows > 2 * (picture.width - width) ? across(down(picture)) : down(across(picture));
}

interface Pass { /** Rows (or columns) that are filtered alike. */ readonly lines: number; readonly from: number; readonly to: number; /** Bytes from one line to the next, and along it; along the result it is `step` too. */ readonly line: number; readonly step: number; readonly outLine: number }

const precision = 22, half = 1 << (precision - 1);

function pass(input: Uint8Array, { lines, from, to, line, step, outLine }: Pass, filter: Exclude<Filter, 'nearest'>): Uint8Array {
  const out = new Uint8Array(lines * to * 3), { starts, counts, weights, most } = coefficients(from, to, filter);
  for (let n = 0; n < to; n++) {
    const start = starts[n], count = counts[n], base = n * most;
    for (let l = 0; l < lines; l++) {
      let r = half, g = half, b = half, at = l * line + start * step;
      for (let k = 0; k < count; k++, at += step) {
        const weight = weights[base + k];
        r += input[at] * weight;
        g += input[at + 1] * weight;
        b += input[at + 2] * weight;
      }
      const into = l * outLine + n * step;
      out[into] = clip(r >> precision);
      out[into + 1] = clip(g >> precision);
      out[into + 2] = clip(b >> precision);
    }
  }
  return out;
}

function clip(value: number): number { return value < 0 ? 0 : value > 255 ? 255 : value; }

/** Per result: first input, how many, and their weights in fixed point (PIL's precompute_coeffs and normalize_coeffs_8bpc). */
function coefficients(from: number, to: number, filter: Exclude<Filter, 'nearest'>): { readonly starts: Int32Array; readonly counts: Int32Array; readonly weights: Int32Array; readonly most: number } {
  const { support: reach, weight } = kernels[filter], scale = from / to, stretch = Math.max(1, scale), support = reach * stretch, most = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(to), counts = new Int32Array(to), weights = new Int32Array(to * most), row = new Float64Array(most);
  for (let n = 0; n < to; n++) {
    const center = (n + 0.5) * scale, first = Math.max(0, Math.trunc(center - support + 0.5)), count = Math.min(from, Math.trunc(center + support + 0.5)) - first;
    let sum = 0;
    for (let k = 0; k < count; k++) sum += row[k] = weight((k + first - center + 0.5) / stretch);
    for (let k = 0; k < count; k++) {
      const share = (sum !== 0 ? row[k] / sum : row[k]) * 2 ** precision;
      weights[n * most + k] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    starts[n] = first;
    counts[n] = count;
  }
  return { starts, counts, weights, most };
}

function nearest({ width: fromWidth, height: fromHeight, rgb }: Picture, width: number, height: number): Picture {
  const out = new Uint8Array(width * height * 3), sx = fromWidth / width, sy = fromHeight / height;
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor((y + 0.5) * sy) * fromWidth;
    for (let x = 0; x < width; x++, at += 3) {
      const from = (row + Math.floor((x + 0.5) * sx)) * 3;
      out[at] = rgb[from];
      out[at + 1] = rgb[from + 1];
      out[at + 2] = rgb[from + 2];
    }
  }
  return { width, height, rgb: out };
}
