/** Says which sites did not stand the check, before anything else is believed. */
import { siteLabel } from '../../contract/site.ts';
import { count, type VerdictRule } from './verdict.ts';

export const parity: VerdictRule = {
  about: 'Each site has its own tolerance: 1e-5, or the noise floor of the type that q, k and v are stored in.',
  judge({ sites, parity: checks }) {
    const failed = sites.filter(site => checks[site.name]?.ok === false);
    if (!failed.length) return [];
    const worst = failed.reduce((a, b) => ((checks[b.name].maxAbs ?? Infinity) > (checks[a.name].maxAbs ?? Infinity) ? b : a)), check = checks[worst.name];
    const by = check.maxAbs === null ? (check.why ?? 'nothing to compare') : `${check.maxAbs.toExponential(1)} at ${siteLabel(worst)}`;
    return [{
      rule: 'parity', level: 'warning',
      text: `${count(failed.length, 'site')} of ${sites.length} did not stand the check against the model's own numbers (largest difference ${by}, tolerance ${check.tolerance.toExponential(0)}): do not trust what is shown of ${failed.length === 1 ? 'it' : 'them'}.`,
      evidence: { threshold: check.tolerance, value: check.maxAbs ?? -1, heads: [], sites: failed.map(site => site.name) },
    }];
  },
};
