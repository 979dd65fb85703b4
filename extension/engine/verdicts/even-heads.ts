/** Names heads that look everywhere alike: they tell tokens apart by nothing. */
import { rankHeads, some, type VerdictRule } from './verdict.ts';

/** Of the entropy that equal shares would have. */
const threshold = 0.98;
/** One or two visible keys are even by nature. */
const leastEntropy = 0.7;

export const evenHeads: VerdictRule = {
  about: `Mean entropy over ${threshold} of the mean of ln(visible keys), where that is at least ${leastEntropy} nats.`,
  judge(trace) {
    const even = (site: string, batch: number): number => trace.evenEntropy[site]?.[batch] ?? 0;
    const found = rankHeads(trace, (head, site) => (even(site.name, head.batch) >= leastEntropy ? head.patternEntropy / even(site.name, head.batch) : 0)).filter(({ value }) => value > threshold);
    if (!found.length) return [];
    return [{
      rule: 'even-heads', level: 'notice',
      text: `${found.length === 1 ? `${found[0].label} spreads its attention` : `${some(found)} spread their attention`} almost evenly over everything in sight (${Math.round(100 * found[0].value)} % of the largest possible entropy).`,
      evidence: { threshold, value: found[0].value, heads: found.map(head => head.label) },
    }];
  },
};
