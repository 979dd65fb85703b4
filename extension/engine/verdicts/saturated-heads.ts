/** Heads whose softmax is saturated: one key has it all, and no gradient gets through. */
import { allHeads, few, strongest, type VerdictRule } from './verdict.ts';

const threshold = 0.5;

export const saturatedHeads: VerdictRule = {
  id: 'saturated-heads', title: 'Saturated heads', summary: `Heads in which over ${threshold * 100} % of the queries give a single key more than 0.999: in float16 nothing is left of the other keys, and the softmax passes no gradient.`,
  judge: trace => {
    const heads = strongest(trace, head => head.stats.saturation, threshold), all = allHeads(trace).length, one = heads.length === 1;
    if (!heads.length) return [];
    return [{
      rule: 'saturated-heads', level: 'notice',
      text: `${heads.length} of ${all} heads ${one ? 'is' : 'are'} saturated (over ${threshold * 100} % of the queries give one key more than 0.999): ${few(heads.map(head => `${head.label} ${Math.round(head.score * 100)} %`))}.`,
      evidence: { threshold, value: heads[0].score, heads: heads.map(head => head.label), probabilityOver: 0.999 },
    }];
  },
};
