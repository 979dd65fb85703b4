/** What rows are divided by when they are renormalised: the probability that is left without some keys. */
import { UserError } from '../../contract/errors.ts';
import { blockCells, cells, type Chosen } from '../compute/rows.ts';
import type { SiteView } from '../trace/site-view.ts';
import { highKey } from '../trace/visibility.ts';

/** Kept for a view: 4 bytes a query each. */
const mostRests = 8;
/** Per view: the rests, per query, as far as they were needed; −1 where not yet. */
const kept = new WeakMap<SiteView, Map<string, Float32Array>>();

/**
 * Σ p(q, k) over the keys that are not in `without`, per query; 0 where a row has none. Summed directly, not as 1 − the rest of it: beside a sink
 * of 0.9999 the difference would be noise. `whole` [query, key]: the rows, where all of what they see is at hand.
 */
export async function restsOf(chosen: Chosen, queries: Int32Array, without: readonly number[], whole: Float32Array | undefined): Promise<Float64Array> {
  const { view, batch, head } = chosen, name = `${batch} ${head} ${without.join()}`, known = kept.get(view) ?? new Map<string, Float32Array>();
  kept.set(view, known);
  const rests = known.get(name) ?? new Float32Array(view.queries).fill(-1);
  known.delete(name);
  known.set(name, rests);
  if (known.size > mostRests) known.delete(known.keys().next().value!);
  if (whole) queries.forEach((query, r) => { if (rests[query] < 0) rests[query] = restOf(whole.subarray(r * whole.length / queries.length, (r + 1) * whole.length / queries.length), without); });
  const missing = queries.filter(query => rests[query] < 0), end = view.keys, step = Math.max(1, Math.floor(blockCells / end));
  for (let from = 0; from < missing.length; from += step) {
    const some = missing.subarray(from, from + step), high = Math.min(end, Math.max(1, highKey(view.visibility, some[some.length - 1]))), values = await cells(chosen, some, 0, high, 0);
    some.forEach((query, r) => { rests[query] = restOf(values.subarray(r * high, (r + 1) * high), without); });
  }
  return Float64Array.from(queries, query => rests[query]);
}

/** Σ of a row (hidden keys are NaN, negative or 0) over the keys that are not in `without`; 0 where it is no number. */
function restOf(row: Float32Array, without: readonly number[]): number {
  let sum = 0, from = 0;
  for (let next = 0; next <= without.length && from < row.length; next++) {
    const to = Math.min(row.length, without[next] ?? row.length);
    for (let j = from; j < to; j++) if (row[j] > 0) sum += row[j];
    from = to + 1;
  }
  return Number.isFinite(sum) ? sum : 0;
}

/** Errors: UserError for keys that are not rising or that there are not. */
export function keysOf(asked: readonly number[], length: number): readonly number[] {
  if (!Array.isArray(asked) || asked.length > length || asked.some((key, n) => !Number.isInteger(key) || key < 0 || key >= length || (n > 0 && key <= asked[n - 1]))) throw new UserError(`Rows cannot be renormalised without these keys; there are ${length}.`, 'Choose others.');
  return asked;
}
