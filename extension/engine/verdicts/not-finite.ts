/** Numbers that are no numbers. */
import { siteLabel } from '../../contract/site.ts';
import { count, few, type VerdictRule } from './verdict.ts';

export const notFinite: VerdictRule = {
  id: 'not-finite', title: 'Values that are not finite', summary: 'Sites where scores overflow or are NaN.',
  judge: ({ manifest, notFinite: rows }) => {
    const sites = manifest.sites.filter(site => rows[site.name] > 0), all = sites.reduce((sum, site) => sum + rows[site.name], 0);
    if (!all) return [];
    return [{
      rule: 'not-finite', level: 'warning', text: `The attention of ${count(all, 'row')} is not finite (first at ${few(sites.map(siteLabel), 1).split(' ')[0]}): the model overflows there or its weights are damaged.`,
      evidence: { threshold: 0, value: all, heads: [], sites: sites.map(site => site.name) },
    }];
  },
};
