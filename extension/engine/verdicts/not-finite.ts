/** Numbers that are no numbers: which tensor, where, and what that says about the cause. */
import { siteLabel, type Site } from '../../contract/site.ts';
import type { NotFinite, Verdict } from '../../contract/trace.ts';
import { count, few, labelOf, type Judged, type VerdictRule } from './verdict.ts';

export const notFinite: VerdictRule = {
  id: 'not-finite', title: 'Values that are not finite', summary: 'Queries, keys, values, scores or logits that overflow or are NaN, with the first tensor and index.',
  judge: trace => [...attention(trace), ...logits(trace)],
};

function attention(trace: Judged): readonly Verdict[] {
  const { manifest, notFinite: rows } = trace, broken = manifest.sites.flatMap(site => (manifest.health?.sites[site.name]?.notFinite ?? []).map(bad => ({ site, bad })));
  if (!broken.length) return [];
  const sites = manifest.sites.filter(site => broken.some(one => one.site === site)), all = sites.reduce((sum, site) => sum + (rows[site.name] ?? 0), 0);
  const [{ site, bad }] = broken, head = headOf(site, bad), batch = bad.index[0];
  const what = all ? `The attention of ${count(all, 'row')} is not finite` : `${count(broken.reduce((sum, one) => sum + one.bad.count, 0), 'number')} of the captured tensors ${broken.length === 1 && bad.count === 1 ? 'is' : 'are'} not finite`;
  return [{
    rule: 'not-finite', level: 'warning',
    text: `${what} (first at ${few(sites.map(siteLabel), 1).split(' ')[0]}): ${cause(bad)} The first one is ${place(bad)} = ${bad.value}.`,
    evidence: { threshold: 0, value: all || bad.count, heads: [labelOf(trace, site, head, batch)], sites: sites.map(one => one.name), ...cellOf(bad), first: bad, tensors: broken.map(one => one.bad) },
  }];
}

/** Captured tensors come in the order of the computation: what is broken first is where to look. */
function cause({ tensor }: NotFinite): string {
  if (tensor.includes('.stats.')) return 'its q and k are finite, and their scores overflow.';
  return tensor.endsWith('.hook_v') ? 'its q and k are finite, its v is not.' : 'what goes into it is broken already, by an overflow before it or by damaged weights.';
}

function logits({ manifest }: Judged): readonly Verdict[] {
  const bad = manifest.health?.logits;
  return bad ? [{ rule: 'not-finite', level: 'warning', text: `${count(bad.count, 'logit')} ${bad.count === 1 ? 'is' : 'are'} not finite (first: ${place(bad)} = ${bad.value}): no next tokens can be named.`, evidence: { threshold: 0, value: bad.count, heads: [], first: bad } }] : [];
}

/** `blocks.3.attn.hook_q[0, 5, 1, 2]`, axes as in the trace file. */
function place({ tensor, index }: NotFinite): string { return `${tensor}[${index.join(', ')}]`; }

/** Of [batch, position, head, dim] or [batch, head, query]; the first of the query heads that share a key head. */
function headOf({ heads, kvHeads }: Site, { tensor, index }: NotFinite): number {
  if (index.length === 3) return index[1];
  return tensor.endsWith('.hook_q') ? index[2] : Math.floor(index[2] * (heads ?? 1) / (kvHeads ?? heads ?? 1));
}

/** A cell of the map that the number takes part in: its query's first key, or its key on the diagonal. */
function cellOf({ tensor, index }: NotFinite): { readonly query: number; readonly key: number } {
  if (index.length === 3) return { query: index[2], key: 0 };
  return { query: index[1], key: tensor.endsWith('.hook_q') ? 0 : index[1] };
}
