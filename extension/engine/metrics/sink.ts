/** The attention-sink metric: which key takes the attention of all the queries that can see it. */
import { meanOverQueries, type HeadView, type Metric } from './metric.ts';

/** Columns that fewer queries see say little: the last one is a single number (card, pitfalls). */
export const minRows = 8;

/** α_j = received mass of key j / queries that see it; −1 for keys that too few see. Gu et al. 2024, eq. of α. [key] */
export function importance(head: Pick<HeadView, 'received' | 'seenBy'>): Float64Array {
  const most = head.seenBy.reduce((a, b) => Math.max(a, b), 0), least = Math.min(minRows, Math.max(1, most));
  return Float64Array.from(head.received, (mass, j) => (head.seenBy[j] >= least ? mass / head.seenBy[j] : -1));
}

export const sink: Metric = {
  card: {
    title: 'Attention sink', params: {}, cite: 'Gu et al. 2024, arXiv 2410.10781',
    summary: `Largest mean attention that one key receives from the queries that see it (at least ${minRows}, in longer inputs), and that key; over 0.3 the head is a sink head.`,
  },
  gives: ['sink', 'sinkKey', 'firstTokenShare'],
  measure(head) {
    const alpha = importance(head);
    let key = 0;
    for (let j = 1; j < alpha.length; j++) if (alpha[j] > alpha[key]) key = j;
    return { sink: Math.max(0, alpha[key] ?? 0), sinkKey: key, firstTokenShare: meanOverQueries(head, i => head.prob(i, head.firstKey)) };
  },
};
