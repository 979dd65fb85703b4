/** Attention that goes to padding: a mask that does not arrive. */
import { siteLabel } from '../../contract/site.ts';
import { few, labelOf, percent, type VerdictRule } from './verdict.ts';

/** More than rounding of a masked softmax leaves. */
const threshold = 0.001;

export const paddingSeen: VerdictRule = {
  id: 'padding-seen', title: 'Attention on padding', summary: `Heads whose real queries give over ${threshold * 100} % of their attention to padding: the attention mask does not reach the site.`,
  judge: trace => {
    const { manifest } = trace, sites = manifest.sites.flatMap(site => { const padding = manifest.health?.sites[site.name]?.padding; return padding && padding.share > threshold ? [{ site, ...padding }] : []; }).sort((a, b) => b.share - a.share);
    if (!sites.length) return [];
    const heads = sites.map(({ site, head, batch }) => labelOf(trace, site, head, batch));
    return [{
      rule: 'padding-seen', level: 'warning',
      text: `Real tokens attend to padding at ${sites.length} of ${manifest.sites.length} sites (${few(sites.map(({ site }) => siteLabel(site)))}; ${heads[0]} gives it ${percent(sites[0].share)}): the attention mask does not reach ${sites.length === 1 ? 'that site' : 'them'}.`,
      evidence: { threshold, value: sites[0].share, heads, sites: sites.map(({ site }) => site.name) },
    }];
  },
};
