/** Real tokens whose query sees no key at all. */
import { siteLabel } from '../../contract/site.ts';
import { count, few, labelOf, type VerdictRule } from './verdict.ts';

export const emptyRows: VerdictRule = {
  id: 'empty-rows', title: 'Rows that see no key', summary: 'Queries of real tokens for which the mask hides every key.',
  judge: trace => {
    const { manifest } = trace;
    const sites = manifest.sites.filter(site => manifest.emptyRows[site.name] > 0), rows = sites.reduce((sum, site) => sum + manifest.emptyRows[site.name], 0);
    if (!rows) return [];
    return [{
      rule: 'empty-rows', level: 'warning',
      text: `${count(rows, 'row')} of real tokens see${rows === 1 ? 's' : ''} no key (${few(sites.map(siteLabel))}): the mask hides everything from them, and they are left out of all statistics.`,
      evidence: { threshold: 0, value: rows, heads: manifest.input.ids.length === 1 ? [labelOf(trace, sites[0], 0, 0)] : [], sites: sites.map(site => site.name) },
    }];
  },
};
