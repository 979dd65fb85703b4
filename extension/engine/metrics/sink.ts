/** Attention sinks: the key that receives most from the rows that can see it (card: attention-sink-emergence), and one behind the first token (card: secondary-sinks). */
import type { HeadView, Metric } from './metric.ts';

/** A key that fewer rows see says little: its importance may be one single entry. */
export const minRows = 8;

/** Largest importance α_j = received_j / rows that see j (Gu 2024, eq. of α), among keys that at least `minRows` rows see (all of them in shorter inputs); ties to the smaller key. */
function largest(head: HeadView): { readonly alpha: number; readonly key: number } {
  let most = 0;
  for (let j = 0; j < head.keys; j++) most = Math.max(most, head.seeing[j]);
  const enough = Math.max(1, Math.min(minRows, most));
  let alpha = 0, key = head.firstKey;
  for (let j = 0; j < head.keys; j++) {
    const importance = head.seeing[j] >= enough ? head.received[j] / head.seeing[j] : 0;
    if (importance > alpha) { alpha = importance; key = j; }
  }
  return { alpha, key };
}

/**
 * Largest score S_j = mean over queries i ≠ j of A[i, j] (Wong 2025; our reading of it, for one head) among keys behind the first real one that at least
 * `minRows` other queries see; ties to the smaller key. Key is the first real one where there is none.
 */
function largestLater(head: HeadView): { readonly score: number; readonly key: number } {
  let score = 0, key = head.firstKey;
  for (let j = head.firstKey + 1; j < head.keys; j++) {
    const own = j - head.offset, onOwn = own >= 0 && own < head.queries && head.live[own] ? head.onSelf?.[own] ?? 0 : 0, rows = head.seeing[j] - (onOwn > 0 ? 1 : 0);
    const mean = rows >= minRows ? (head.received[j] - onOwn) / rows : 0;
    if (mean > score) { score = mean; key = j; }
  }
  return { score, key };
}

export const sinks: Metric = {
  sink: { title: 'Sink', summary: 'The largest mean attention that one key receives from the queries that can see it.', cite: 'Gu 2024, 2410.10781', unit: 'share', selfOnly: false, measure: head => largest(head).alpha },
  sinkKey: { title: 'Sink position', summary: 'The key that receives it.', cite: 'Gu 2024, 2410.10781', unit: 'position', selfOnly: false, measure: head => largest(head).key },
  firstTokenShare: {
    title: 'First-token share', summary: 'Mean probability on the first real key.', cite: '', unit: 'share', selfOnly: false,
    measure: head => (head.liveRows && head.firstKey >= 0 ? head.received[head.firstKey] / head.liveRows : 0),
  },
  secondarySink: {
    title: 'Secondary sink', summary: 'The largest mean attention that a key behind the first real one receives from the other queries that can see it, at least eight.', cite: 'Wong 2025, 2512.22213', unit: 'share', selfOnly: true,
    measure: head => (head.self ? largestLater(head).score : 0),
  },
  secondarySinkKey: { title: 'Secondary sink position', summary: 'The key that receives it.', cite: 'Wong 2025, 2512.22213', unit: 'position', selfOnly: true, measure: head => (head.self ? largestLater(head).key : 0) },
};
