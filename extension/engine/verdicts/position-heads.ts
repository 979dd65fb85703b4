/** Heads that copy positions: the previous token, and what followed the same token before. */
import type { Verdict } from '../../contract/trace.ts';
import { count, few, strongest, type Judged, type VerdictRule } from './verdict.ts';

const previousOver = 0.5;
const inductionOver = 0.4;

export const positionHeads: VerdictRule = {
  id: 'position-heads', title: 'Previous-token and induction heads',
  summary: `Heads with over ${previousOver} of their attention on the previous token, or over ${inductionOver} on what followed earlier occurrences of the token.`,
  judge: trace => [
    ...judge(trace, 'prevTokenScore', previousOver, n => `${count(n, 'head')} attend${n === 1 ? 's' : ''} to the previous token (over ${previousOver} of the attention)`),
    ...judge(trace, 'inductionScore', inductionOver, n => `${count(n, 'head')} attend${n === 1 ? 's' : ''} to what followed the same token before (over ${inductionOver} of the attention, an induction pattern)`),
  ],
};

function judge(trace: Judged, score: 'prevTokenScore' | 'inductionScore', threshold: number, sentence: (n: number) => string): readonly Verdict[] {
  const heads = strongest(trace, head => head.stats[score], threshold);
  if (!heads.length) return [];
  return [{
    rule: 'position-heads', level: 'info', text: `${sentence(heads.length)}: ${few(heads.map(head => `${head.label} ${head.score.toFixed(2)}`))}.`,
    evidence: { threshold, value: heads[0].score, heads: heads.map(head => head.label), score },
  }];
}
