/** Heads that look at themselves, one token back, or behind an earlier occurrence of the same token. */
import { meanOverQueries, type HeadView, type Metric } from './metric.ts';

/** A token that recurs more often says little about induction; the nearest occurrences are counted. */
const mostOccurrences = 64;

export const diagonals: Metric = {
  card: {
    title: 'Diagonals', params: {}, cite: 'Olsson et al. 2022, arXiv 2209.11895',
    summary: 'Mean attention on the token itself, on the token before, and on the tokens that followed earlier occurrences of the same token (induction).',
  },
  gives: ['selfAttentionScore', 'prevTokenScore', 'inductionScore'],
  measure(head) {
    if (head.kind === 'cross') return { selfAttentionScore: 0, prevTokenScore: 0, inductionScore: 0 };
    const { offset } = head, followers = followersOf(head);
    return {
      selfAttentionScore: meanOverQueries(head, i => head.prob(i, i + offset)),
      prevTokenScore: meanOverQueries(head, i => head.prob(i, i + offset - 1), i => i + offset - 1 >= head.firstKey),
      inductionScore: meanOverQueries(head, i => followers[i].reduce((sum, j) => sum + head.prob(i, j), 0), i => followers[i].length > 0),
    };
  },
};

/** For each query, the keys right behind earlier occurrences of its token, nearest first. */
function followersOf({ queries, offset, ids, firstKey }: HeadView): readonly (readonly number[])[] {
  const last = new Map<number, number>(), before = new Int32Array(ids.length).fill(-1);
  ids.forEach((id, j) => {
    if (j < firstKey) return;
    before[j] = last.get(id) ?? -1;
    last.set(id, j);
  });
  return Array.from({ length: queries }, (_, i) => {
    const found: number[] = [];
    for (let j = before[i + offset] ?? -1; j >= 0 && found.length < mostOccurrences; j = before[j]) if (j + 1 < i + offset) found.push(j + 1);
    return found;
  });
}
