/** binary16: every value there is, and rounding to even. */
import { describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from '../../../extension/engine/maths/half.ts';

describe('halves', () => {
  it('all 65,536 come back', () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i), back = toHalf(fromHalf(bits));
    for (let i = 0; i < bits.length; i++) {
      const isNaN = (i & 0x7c00) === 0x7c00 && (i & 0x3ff) !== 0;
      if (isNaN) expect(fromHalf(Uint16Array.of(back[i]))[0]).toBeNaN(); else expect(back[i]).toBe(i);
    }
  });
  it('rounds to the nearer, ties to even, as the standard says', () => {
    const round = (x: number): number => fromHalf(toHalf(Float32Array.of(x)))[0];
    expect(round(1 + 2 ** -11)).toBe(1);
    expect(round(1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
    expect(round(1 + 2 ** -11 + 2 ** -20)).toBe(1 + 2 ** -10);
    expect(round(65_519)).toBe(65_504);
    expect(round(65_520)).toBe(Infinity);
    expect(round(2 ** -25)).toBe(0);
    expect(round(3 * 2 ** -26)).toBe(2 ** -24);
    expect(round(-(2 ** -24) * 2.5)).toBe(-(2 ** -24) * 2);
    expect(round(1e-30)).toBe(0);
  });
});
