/** The discrete Fourier transform of any length, by splitting it into its prime factors. */

export interface Complex { readonly re: Float64Array; readonly im: Float64Array }

/** Multiply-adds of one transform of `size` points. */
export function transformSteps(size: number): number { return size * primeFactors(size).reduce((sum, factor) => sum + factor, 0); }

/**
 * A transform of `size` points, with its roots of unity made once: X[k] = Σ x[n]·exp(−2πi·kn/size). Mixed radix, decimation in time
 * (Cooley and Tukey 1965): a length with the prime factors p₁ … pₘ takes size·Σpᵢ multiply-adds.
 */
export class FourierTransform {
  readonly size: number;
  readonly #factors: readonly number[];
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  constructor(size: number) {
    this.size = size;
    this.#factors = primeFactors(size);
    this.#cos = Float64Array.from({ length: size }, (_, n) => Math.cos(2 * Math.PI * n / size));
    this.#sin = Float64Array.from({ length: size }, (_, n) => -Math.sin(2 * Math.PI * n / size));
  }

  /** Of `size` complex numbers. */
  transform(input: Complex): Complex {
    const out = { re: new Float64Array(this.size), im: new Float64Array(this.size) }, spare = { re: new Float64Array(this.size), im: new Float64Array(this.size) };
    this.#step({ input, out, spare, from: 0, stride: 1, to: 0, size: this.size, level: 0 });
    return out;
  }

  #step({ input, out, spare, from, stride, to, size, level }: Step): void {
    if (size === 1) { out.re[to] = input.re[from]; out.im[to] = input.im[from]; return; }
    const radix = this.#factors[level], part = size / radix, turn = this.size / size;
    for (let r = 0; r < radix; r++) this.#step({ input, out, spare, from: from + r * stride, stride: stride * radix, to: to + r * part, size: part, level: level + 1 });
    for (let k = 0; k < size; k++) {
      let re = 0, im = 0;
      for (let r = 0; r < radix; r++) {
        const at = to + r * part + k % part, root = (r * k % size) * turn, c = this.#cos[root], s = this.#sin[root];
        re += out.re[at] * c - out.im[at] * s;
        im += out.re[at] * s + out.im[at] * c;
      }
      spare.re[to + k] = re;
      spare.im[to + k] = im;
    }
    out.re.set(spare.re.subarray(to, to + size), to);
    out.im.set(spare.im.subarray(to, to + size), to);
  }
}

interface Step { readonly input: Complex; readonly out: Complex; readonly spare: Complex; readonly from: number; readonly stride: number; readonly to: number; readonly size: number; readonly level: number }

function primeFactors(size: number): number[] {
  const factors: number[] = [];
  let rest = size;
  for (let p = 2; p * p <= rest; p++) while (rest % p === 0) { factors.push(p); rest /= p; }
  if (rest > 1) factors.push(rest);
  return factors;
}
