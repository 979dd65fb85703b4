/** IEEE 754 binary16 ↔ binary32. */

let decoded: Float32Array | undefined;

/** `out[i]` = the number that the half `bits[i]` stands for. */
export function fromHalf(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const table = decoded ??= Float32Array.from({ length: 65_536 }, (_, b) => decode(b));
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]];
  return out;
}

/** Rounds to nearest, ties to even; beyond ±65,504 (after rounding) ±infinity. */
export function toHalf(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) out[i] = encode(bits[i]);
  return out;
}

function decode(half: number): number {
  const sign = half & 0x8000 ? -1 : 1, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}

function encode(single: number): number {
  const sign = single >>> 16 & 0x8000, magnitude = single & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000, half = rebased >>> 13, rest = rebased & 0x1fff;
    return sign | half + (rest > 0x1000 || rest === 0x1000 && (half & 1) ? 1 : 0);
  }
  // Subnormal: the value in units of 2^-24, rounded to even.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const fraction = magnitude & 0x7fffff | 0x800000, half = fraction >>> shift, rest = fraction & 2 ** shift - 1, middle = 2 ** (shift - 1);
  return sign | half + (rest > middle || rest === middle && (half & 1) ? 1 : 0);
}
