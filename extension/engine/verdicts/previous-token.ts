/** Names heads that do little but look one token back. */
import { rankHeads, some, type VerdictRule } from './verdict.ts';

const threshold = 0.5;

export const previousToken: VerdictRule = {
  about: `Mean attention on the token before, over ${threshold}: more than on all other keys together.`,
  judge(trace) {
    const found = rankHeads(trace, head => head.prevTokenScore).filter(({ value }) => value > threshold);
    if (!found.length) return [];
    return [{
      rule: 'previous-token', level: 'info',
      text: `${found.length === 1 ? `${found[0].label} looks` : `${some(found)} look`} mostly one token back (${found[0].value.toFixed(2)} on average${found.length > 1 ? ' at most' : ''}).`,
      evidence: { threshold, value: found[0].value, heads: found.map(head => head.label) },
    }];
  },
};
