/** Divergences against their definitions, written out over probabilities. */
import { describe, expect, it } from 'vitest';
import { divergence, largest, logSoftmax } from '../../../extension/engine/maths/divergence.ts';
import { randomNumbers } from '../analysis/synthetic.ts';

function logs(scores: readonly number[]): Float64Array {
  const out = new Float64Array(scores.length);
  logSoftmax(scores, scores.length, out);
  return out;
}
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('divergence', () => {
  it.each([[2, 0.5], [7, 3], [64, 8], [300, 20]])('of %i outcomes with scores spread over ±%f is what the definitions give', (count, spread) => {
    const random = randomNumbers(count), scores = (): number[] => Array.from({ length: count }, () => (random() - 0.5) * 2 * spread), a = logs(scores()), b = logs(scores());
    const p = [...a].map(Math.exp), q = [...b].map(Math.exp), kl = (x: readonly number[], y: readonly number[]): number => sum(x.map((v, i) => (v > 0 ? v * Math.log(v / y[i]) : 0))), m = p.map((v, i) => (v + q[i]) / 2);
    const got = divergence(a, b, count);
    // Sums of `count` float64 terms, each right to 1e-16 of the largest.
    expect(got.klAB).toBeCloseTo(kl(p, q), 11);
    expect(got.klBA).toBeCloseTo(kl(q, p), 11);
    expect(got.js).toBeCloseTo((kl(p, m) + kl(q, m)) / 2, 12);
    expect(got.tv).toBeCloseTo(sum(p.map((v, i) => Math.abs(v - q[i]))) / 2, 12);
    expect(got.oneSided).toBe(false);
  });
  it('of equal distributions is exactly 0', () => {
    const a = logs([1, -3, 0.2, 9]);
    expect(divergence(a, a.slice(), 4)).toEqual({ klAB: 0, klBA: 0, js: 0, tv: 0, oneSided: false });
  });
  it('of nearly equal ones keeps its digits: to second order KL is ½·Σ p·d², JS an eighth', () => {
    const d = 1e-6, a = logs([0, 0, 0, 0]), b = logs([d, -d, d, -d]), { klAB, js } = divergence(a, b, 4);
    expect(klAB / (d * d / 2)).toBeCloseTo(1, 3);
    expect(js / (d * d / 8)).toBeCloseTo(1, 3);
  });
  it('is infinite towards an outcome that is impossible there, while JS and total variation stay finite', () => {
    const a = logs([0, 0, -Infinity]), b = logs([0, -Infinity, 0]), got = divergence(a, b, 3);
    expect(got).toMatchObject({ klAB: Infinity, klBA: Infinity, oneSided: true });
    expect(got.tv).toBeCloseTo(0.5, 12);
    expect(got.js).toBeCloseTo(Math.LN2 / 2, 12);
    expect(divergence(logs([0, -Infinity]), logs([0, 0]), 2)).toMatchObject({ klAB: Math.LN2, klBA: Infinity });
  });
  it('of distributions with nothing in common is ln 2 and 1', () => {
    const got = divergence(logs([0, -1e4]), logs([-1e4, 0]), 2);
    expect(got.js).toBeCloseTo(Math.LN2, 12);
    expect(got.tv).toBe(1);
    expect(got.klAB).toBeCloseTo(1e4, 6);
  });
});

describe('logSoftmax', () => {
  it('says when nothing is visible and when a score is no number', () => {
    const out = new Float64Array(2);
    expect(logSoftmax([-Infinity, -Infinity], 2, out)).toBe(-Infinity);
    expect(logSoftmax([1, NaN], 2, out)).toBeNaN();
    expect(logSoftmax([1, Infinity], 2, out)).toBeNaN();
    expect(logSoftmax([1000, 1000], 2, out)).toBeCloseTo(1000 + Math.LN2, 12);
    expect(out[0]).toBeCloseTo(-Math.LN2, 12);
  });
});

describe('largest', () => {
  it('takes the first of equal values, and none that is hidden', () => {
    expect(largest([1, 5, 5, 3, -Infinity], 5, 3)).toEqual([1, 2, 3]);
    expect(largest([-Infinity, 2], 2, 5)).toEqual([1]);
    expect(largest([9, 8, 7, 6], 3, 2)).toEqual([0, 1]);
  });
});
