/** What a metric is: a number for one head of one sample, from O(T) statistics and single probabilities. */
import type { MetricCard, MetricName } from '../../contract/trace.ts';

/** One head of one sample. Only live rows count: real queries that see a key. */
export interface HeadView {
  readonly queries: number;
  readonly keys: number;
  /** Key position of query 0: self-attention behind cached keys starts later. */
  readonly offset: number;
  /** Queries and keys are positions of one sequence. */
  readonly self: boolean;
  /** [query] 1 = live. */
  readonly live: Uint8Array;
  readonly liveRows: number;
  /** First key that a live row sees; −1 when none does. */
  readonly firstKey: number;
  /** [query]: nats; largest probability. */
  readonly entropy: Float32Array; readonly max: Float32Array;
  /** Mean and mean square of |position − key| over all of the attention of live rows. */
  readonly distance: number; readonly squared: number;
  /** [key]: column sums over live rows; how many live rows see the key. */
  readonly received: Float32Array; readonly seeing: Int32Array;
  /** [query]: how many keys it sees. */
  readonly seen: Int32Array;
  /** [query]: probability on the query's own position, on the one before it; 0 where it does not see it. Undefined unless `self`. */
  readonly onSelf?: Float32Array; readonly onPrevious?: Float32Array;
  /** [query]: mass on keys that follow an earlier occurrence of the query's token; −1 where there is none. Undefined without token ids. */
  readonly induction?: Float32Array;
}

export interface Measure extends Omit<MetricCard, 'name'> {
  /** 0 where it means nothing (no live row, no token ids). */
  measure(head: HeadView): number;
}

/** A family: one file, a few numbers that are about the same thing. */
export type Metric = Readonly<Partial<Record<MetricName, Measure>>>;

/** Mean of `value` over the live rows for which it is defined. */
export function meanOverRows(head: HeadView, value: (i: number) => number | undefined): number {
  let sum = 0, rows = 0;
  for (let i = 0; i < head.queries; i++) {
    if (!head.live[i]) continue;
    const one = value(i);
    if (one === undefined) continue;
    sum += one;
    rows++;
  }
  return rows ? sum / rows : 0;
}
