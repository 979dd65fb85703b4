/** A softcap that config.json asks for and the graph lacks: sdpa exports of Gemma 2 by transformers 5 lose it. */
import { siteLabel } from '../../contract/site.ts';
import { few, labelOf, type VerdictRule } from './verdict.ts';

export const softcapLost: VerdictRule = {
  id: 'softcap-lost', title: 'Lost softcap', summary: 'Sites without the softcap that config.json (attn_logit_softcapping) asks for.',
  judge: trace => {
    const { expected, sites } = trace.manifest, cap = expected?.softcap, without = cap === undefined ? [] : sites.filter(site => site.kind === 'self' && !site.softcap);
    if (cap === undefined || !without.length) return [];
    return [{
      rule: 'softcap-lost', level: 'warning',
      text: `config.json caps attention scores at ${cap}, and the graph does not (${few(without.map(siteLabel))}): the exporter left the softcap out, so that this model computes something else than the original. Export it with eager attention.`,
      evidence: { threshold: cap, value: without.length, heads: without.map(site => labelOf(trace, site, 0, 0)), sites: without.map(site => site.name) },
    }];
  },
};
