/** Says where real tokens see no key at all. */
import { siteLabel } from '../../contract/site.ts';
import { count, type VerdictRule } from './verdict.ts';

export const emptyRows: VerdictRule = {
  about: 'Any real query whose mask hides every key; runtimes differ in what such a row becomes (zeros, an even row, or NaN).',
  judge({ sites, emptyRows: empty }) {
    const found = sites.filter(site => (empty[site.name] ?? 0) > 0);
    if (!found.length) return [];
    const rows = found.reduce((sum, site) => sum + empty[site.name], 0);
    return [{
      rule: 'empty-rows', level: 'warning',
      text: `${count(rows, 'row')} of real tokens at ${found.length === 1 ? siteLabel(found[0]) : count(found.length, 'site')} ${rows === 1 ? 'sees' : 'see'} no key at all: the mask hides everything from ${rows === 1 ? 'it' : 'them'}. Left out of every number.`,
      evidence: { threshold: 0, value: rows, heads: [], sites: found.map(site => site.name) },
    }];
  },
};
