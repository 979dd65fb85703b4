/** Names heads that look behind earlier occurrences of the same token. */
import { rankHeads, some, type VerdictRule } from './verdict.ts';

const threshold = 0.3;

export const induction: VerdictRule = {
  about: `Mean attention on tokens that followed earlier occurrences of the query's token, over ${threshold}, where there are such occurrences.`,
  judge(trace) {
    const found = rankHeads(trace, head => head.inductionScore).filter(({ value }) => value > threshold);
    if (!found.length) return [];
    return [{
      rule: 'induction', level: 'info',
      text: `${found.length === 1 ? `${found[0].label} acts as an induction head: it looks` : `${some(found)} act as induction heads: they look`} at what followed the same token before (${found[0].value.toFixed(2)}${found.length > 1 ? ' at most' : ' on average'}).`,
      evidence: { threshold, value: found[0].value, heads: found.map(head => head.label) },
    }];
  },
};
