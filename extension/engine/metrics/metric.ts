/** What a metric is: numbers of one head of one sample, from what a trace stores; O(T·D) unless it says otherwise. */
import type { Card } from '../../contract/params.ts';
import type { HeadStats } from '../../contract/trace.ts';

/** One head of one sample. Queries that are padding or see no key are not `live` and take part in nothing. */
export interface HeadView {
  readonly kind: 'self' | 'cross';
  readonly queries: number; readonly keys: number;
  /** Position of query i among the keys is i + offset. */
  readonly offset: number;
  /** [query], 1 = live. */
  readonly live: Uint8Array;
  /** [query]; nats over visible keys. */
  readonly entropy: Float32Array;
  /** [query]; the largest probability. */
  readonly max: Float32Array;
  /** [key]; column sums over live queries. */
  readonly received: Float32Array;
  /** [key]; how many live queries see the key. */
  readonly seenBy: Int32Array;
  /** First key that stands for a real token. */
  readonly firstKey: number;
  /** Token ids by key position; empty where keys are no tokens. */
  readonly ids: readonly number[];
  /** [query]: Σ p·|d| and Σ p·d² with d = query position − key position. */
  readonly distance: { readonly mean: Float64Array; readonly square: Float64Array };
  /** The probability of one cell; 0 where the key is hidden or does not exist. */
  prob(query: number, key: number): number;
}

/** Numbers that a head gets, by their names in the trace. */
export type MetricName = Exclude<keyof HeadStats, 'batch' | 'head'>;

export interface Metric {
  readonly card: Card;
  readonly gives: readonly MetricName[];
  measure(head: HeadView): Readonly<Partial<Record<MetricName, number>>>;
}

/** Mean of `value` over the live queries that `take` admits; 0 when there are none. */
export function meanOverQueries(head: HeadView, value: (query: number) => number, take: (query: number) => boolean = () => true): number {
  let sum = 0, count = 0;
  for (let i = 0; i < head.queries; i++) if (head.live[i] && take(i)) { sum += value(i); count++; }
  return count ? sum / count : 0;
}
