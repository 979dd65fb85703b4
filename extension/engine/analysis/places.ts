/** What lies along one side of a tile whose cells are single positions: which they are, and which between them are left out. */
import { UserError } from '../../contract/errors.ts';

/** Cell i is position at[i], rising; `gaps`: positions between the first and the last that are no cell. */
export interface Places { readonly at: Int32Array; readonly first: number; /** Behind the last. */ readonly end: number; readonly gaps: Int32Array }

/**
 * `asked`: half-open runs, flattened; every position of the range without any. Undefined where a run holds more than one position: such cells are
 * sums (joined-tile.ts). Errors: UserError for runs that are not rising or lie outside, and for empty ranges.
 */
export function placesOf(asked: readonly number[] | undefined, range: readonly [number, number], length: number, what: string): Places | undefined {
  const [from, to] = clipped(range, length, what);
  if (!asked) return { at: Int32Array.from({ length: to - from }, (_, i) => from + i), first: from, end: to, gaps: new Int32Array(0) };
  checkRuns(asked, from, to, range, length, what);
  const at = new Int32Array(asked.length / 2);
  for (let n = 0; n < at.length; n++) {
    if (asked[2 * n + 1] !== asked[2 * n] + 1) return undefined;
    at[n] = asked[2 * n];
  }
  const first = at[0], end = at[at.length - 1] + 1, gaps = new Int32Array(end - first - at.length);
  for (let n = 1, g = 0; n < at.length; n++) for (let skipped = at[n - 1] + 1; skipped < at[n]; skipped++) gaps[g++] = skipped;
  return { at, first, end, gaps };
}

/** Errors: UserError. */
export function checkRuns(asked: readonly number[], from: number, to: number, range: readonly [number, number], length: number, what: string): void {
  const refuse = (): UserError => new UserError(`There are no such ${what} between ${range[0]} and ${range[1]}; there are ${length}.`, 'Choose others.');
  if (!Array.isArray(asked) || asked.length === 0 || asked.length % 2 || asked.length > 2 * length) throw refuse();
  for (let n = 0, before = from; n < asked.length; n += 2) {
    const start = asked[n], end = asked[n + 1];
    if (!(Number.isInteger(start) && Number.isInteger(end) && start >= before && end > start && end <= to)) throw refuse();
    before = end;
  }
}

/** The range cut to what there is. Errors: UserError where nothing is left. */
export function clipped([from, to]: readonly [number, number], length: number, what: string): readonly [number, number] {
  const start = Math.max(0, Math.floor(from)), end = Math.min(length, Math.ceil(to));
  if (!(start < end)) throw new UserError(`There are no ${what} ${from} to ${to}; there are ${length}.`, 'Choose others.');
  return [start, end];
}
