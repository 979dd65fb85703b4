/** Says where numbers stopped being numbers. */
import { count, type VerdictRule } from './verdict.ts';

export const nonFinite: VerdictRule = {
  about: 'Any NaN or infinity in a stored q, k or v.',
  judge({ nonFinite: found }) {
    const sites = Object.keys(found);
    if (!sites.length) return [];
    const first = found[sites[0]], values = sites.reduce((sum, site) => sum + found[site].count, 0);
    return [{
      rule: 'non-finite', level: 'warning',
      text: `${count(values, 'value is', 'values are')} NaN or infinite, the first in ${first.tensor} at [${first.index.join(', ')}]: look for an overflow before it.`,
      evidence: { threshold: 0, value: values, heads: [], sites, tensor: first.tensor, index: first.index },
    }];
  },
};
