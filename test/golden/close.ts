/** Compares tensors element by element and names the first that is too far off. */
import { expect } from 'vitest';

export function close(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(expected.length);
  for (let n = 0; n < expected.length; n++) {
    if (got[n] === expected[n]) continue;
    const difference = Math.abs(got[n] - expected[n]);
    if (!(difference <= tolerance)) expect.fail(`element ${n}: ${got[n]} instead of ${expected[n]}`);
  }
}
