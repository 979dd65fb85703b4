/** Heads that attend almost evenly: their pattern says little about content. */
import { allHeads, few, strongest, type VerdictRule } from './verdict.ts';

const threshold = 0.95;

export const evenHeads: VerdictRule = {
  id: 'even-heads', title: 'Nearly uniform heads', summary: `Heads whose entropy is over ${threshold * 100} % of that of even attention.`,
  judge: trace => {
    // With fewer than four visible keys on average, even attention is no finding.
    const ratio = (site: string, batch: number, entropy: number): number => { const even = trace.evenEntropy[site]?.[batch] ?? 0; return even > Math.log(4) ? entropy / even : 0; };
    const heads = strongest(trace, ({ site, stats }) => ratio(site.name, stats.batch, stats.patternEntropy), threshold), all = allHeads(trace).length;
    if (!heads.length) return [];
    return [{
      rule: 'even-heads', level: 'notice',
      text: `${heads.length} of ${all} heads attend${heads.length === 1 ? 's' : ''} almost evenly (entropy over ${threshold * 100} % of its maximum): ${few(heads.map(head => head.label))}.`,
      evidence: { threshold, value: heads[0].score, heads: heads.map(head => head.label) },
    }];
  },
};
