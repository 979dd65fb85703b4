/** Sites whose stored values do not give what the graph computed. */
import { siteLabel } from '../../contract/site.ts';
import { few, labelOf, type VerdictRule } from './verdict.ts';

export const parity: VerdictRule = {
  id: 'parity', title: 'Parity', summary: 'Sites where the rebuilt attention is further from the graph\'s own than rounding explains.',
  judge: trace => {
    const { manifest } = trace;
    const checked = manifest.sites.filter(site => manifest.parity[site.name]?.ok !== null && manifest.parity[site.name]), failed = checked.filter(site => !manifest.parity[site.name].ok);
    if (!failed.length) return [];
    const worst = failed.reduce((a, b) => ((manifest.parity[b.name].maxAbs ?? Infinity) > (manifest.parity[a.name].maxAbs ?? Infinity) ? b : a));
    const { maxAbs, tolerance, why } = manifest.parity[worst.name];
    return [{
      rule: 'parity', level: 'warning',
      text: `Parity failed at ${failed.length} of ${checked.length} sites (${few(failed.map(siteLabel))}): what is shown there is not what the model computed.`,
      evidence: { threshold: tolerance, value: maxAbs ?? -1, heads: [labelOf(trace, worst, 0, 0)], sites: failed.map(site => site.name), why: why ?? '' },
    }];
  },
};
