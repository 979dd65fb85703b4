/** Values to colour positions in [0, 1], the ticks of the legend, and how numbers are written. */

export type ScaleKind = 'linear' | 'gamma' | 'log';
/** `lo` and `hi` are the values that take the first and the last colour; values beyond clip. For `log`, `lo` > 0. */
export interface Scale { readonly kind: ScaleKind; readonly lo: number; readonly hi: number }

/** Smallest probability that a log scale tells from zero, as a share of its top: six decades, as far as float32 softmax is trustworthy. */
export const logDecades = 6;
/** Exponent of the `gamma` scale. */
export const gamma = 0.5;

/** The scale of probabilities whose largest shown value is `hi`. */
export function probabilityScale(kind: ScaleKind, hi: number): Scale {
  const top = hi > 0 && Number.isFinite(hi) ? Math.min(1, hi) : 1;
  return { kind, lo: kind === 'log' ? top * 10 ** -logDecades : 0, hi: top };
}

/** The scale of scores: linear between the smallest and the largest; a flat map gets a range of 1 around its value. */
export function scoreScale(lo: number, hi: number): Scale {
  if (!Number.isFinite(lo) || !Number.isFinite(hi)) return { kind: 'linear', lo: -1, hi: 1 };
  return hi > lo ? { kind: 'linear', lo, hi } : { kind: 'linear', lo: lo - 0.5, hi: lo + 0.5 };
}

/** The scale of signed weights: 0 in its middle, `most` at both ends. */
export function signedScale(most: number): Scale { const top = most > 0 && Number.isFinite(most) ? most : 1; return { kind: 'linear', lo: -top, hi: top }; }

/** Position of `value` in [0, 1]; the shader in paint/heat-gl.ts computes the same. */
export function position(scale: Scale, value: number): number {
  const t = scale.kind === 'log'
    ? (value <= scale.lo ? 0 : Math.log(value / scale.lo) / Math.log(scale.hi / scale.lo))
    : (value - scale.lo) / (scale.hi - scale.lo);
  const clipped = t > 0 ? Math.min(1, t) : 0;
  return scale.kind === 'gamma' ? clipped ** gamma : clipped;
}

export interface Tick { readonly at: number; readonly text: string }

/** Ticks of the legend, `at` in [0, 1], ends included. */
export function ticks(scale: Scale): Tick[] {
  const values = scale.kind === 'log'
    ? Array.from({ length: logDecades + 1 }, (_, i) => scale.hi * 10 ** (i - logDecades))
    : scale.kind === 'gamma'
      ? [0, 0.05, 0.2, 0.5, 1].map(share => scale.lo + share * (scale.hi - scale.lo))
      : [0, 0.25, 0.5, 0.75, 1].map(share => scale.lo + share * (scale.hi - scale.lo));
  return values.map(value => ({ at: position(scale, value), text: shortNumber(value) }));
}

/** The scale in words, for the legend. */
export function scaleName(kind: ScaleKind): string {
  return kind === 'log' ? `log scale, ${logDecades} decades` : kind === 'gamma' ? `gamma ${gamma} scale` : 'linear scale';
}

/** A number in at most 7 characters: `0.25`, `0.0031`, `2.1e-6`, `−3.4`, `0`. */
export function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'n/a' : value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const digits = size >= 100 || size < 1e-3 ? value.toPrecision(2) : value.toPrecision(size >= 1 ? 3 : 2);
  const text = size < 1e-3 || size >= 1e5 ? Number(digits).toExponential().replace('e+', 'e') : String(Number(digits));
  return text.replace(/^-/, '−');
}

/** A probability or share: `62%`, `3.4%`, `0.21%`, `<0.01%`. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return 'n/a';
  const value = share * 100;
  if (value === 0) return '0%';
  if (value < 0.01) return '<0.01%';
  return `${value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)}%`;
}
