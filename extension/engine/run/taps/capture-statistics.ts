/** Turns what the graph summed up into the statistics that a trace keeps. */
import { UserError } from '../../../contract/errors.ts';
import type { PartWriter } from '../../trace/part-writer.ts';
import type { Fetched } from '../session/runtime.ts';
import type { StatisticsTaps } from './tap-statistics.ts';

export interface StatisticsWriting {
  readonly name: string;
  readonly taps: StatisticsTaps;
  readonly fetched: Fetched;
  readonly part: PartWriter;
  readonly side: PartWriter;
  /** Product of all factors of the scores. */
  readonly scale: number;
}

/**
 * Writes stats.* into the part and the weighted column sums into the side file. Undefined, and nothing written, where a hidden score turned out to be
 * −inf against what the graph's constants say: then they are computed from q and k.
 */
export function writeStatistics({ name, taps, fetched, part, side, scale }: StatisticsWriting): { readonly heads: number; readonly receivedFrom: string } | undefined {
  const max = fetched.take(taps.max), dims = max.dims;
  if (dims.length !== 3) throw new UserError(`The probabilities of ${name} have ${dims.length + 1} axes; 4 were expected.`, 'Report this model.');
  const largest = max.data as Float32Array, places = fetched.take(taps.maxKey).data as BigInt64Array;
  const means = fetched.take(taps.meanScore).data as Float32Array;
  const count = largest.length, factor = taps.unscaled ? scale : 1;
  const lse = new Float32Array(count), entropy = new Float32Array(count), maxKey = Int32Array.from(places, Number);
  const scores = fetched.take(taps.maxScore).data as Float32Array, totals = taps.total === undefined ? undefined : fetched.take(taps.total).data as Float32Array;
  for (let i = 0; i < count; i++) {
    const p = largest[i];
    if (!(p > 0)) { lse[i] = -Infinity; maxKey[i] = -1; largest[i] = 0; continue; }
    if (Number.isNaN(means[i])) return undefined;
    lse[i] = scores[i] - Math.log(p);
    // Rounding may leave a one-hot row a hair below zero.
    entropy[i] = Math.max(0, totals ? lse[i] * totals[i] - factor * means[i] : scores[i] - factor * means[i] - Math.log(p));
  }
  part.append(`${name}.stats.lse`, 'F32', dims, lse);
  part.append(`${name}.stats.entropy`, 'F32', dims, entropy);
  part.append(`${name}.stats.max`, 'F32', dims, largest);
  part.append(`${name}.stats.max_key`, 'I32', dims, maxKey);
  for (const kind of ['received', 'pooled'] as const) { const tensor = fetched.take(taps[kind]); part.append(`${name}.stats.${kind}`, 'F32', tensor.dims, tensor.data); }
  const weighted = fetched.take(taps.receivedFrom), receivedFrom = `${name}.receivedFrom`;
  side.append(receivedFrom, 'F32', weighted.dims, weighted.data);
  return { heads: dims[1], receivedFrom };
}
