/** From what a person typed to a head of the trace, and from a head to its neighbours. */
import { headLabel, parseHead, siteLabel, type Site } from '../../extension/contract/site.ts';

export interface Pick { readonly site: string; readonly head: number }
export type Found = { readonly pick: Pick } | { readonly problem: string };

/** Finds the head that `text` names. A plain `3.1` means the main stack, or the first stack that has such a layer. */
export function findHead(sites: readonly Site[], text: string): Found {
  const asked = parseHead(text);
  if (!asked) return { problem: `“${text.trim()}” names no head: write L3H1, 3.1 or layer 3 head 1.` };
  const inLayer = sites.filter(site => site.layer === asked.layer && nthOf(site) === asked.nth);
  const site = inLayer.find(s => s.stack === asked.stack && s.kind === asked.kind)
    ?? (asked.stack === 'main' ? inLayer.find(s => s.kind === asked.kind) ?? inLayer[0] : undefined);
  if (!site) {
    const layers = [...new Set(sites.map(s => s.layer))].sort((a, b) => a - b);
    return { problem: layers.includes(asked.layer) ? `This trace has no ${text.trim()}.` : `This trace has no layer ${asked.layer}: its layers are ${span(layers)}.` };
  }
  const heads = site.heads ?? 0;
  return asked.head < heads ? { pick: { site: site.name, head: asked.head } } : { problem: `${siteLabel(site)} has no head ${asked.head}: its heads are 0 to ${heads - 1}.` };
}

/** The label of a head, as `L3H1`. */
export function labelOf(sites: readonly Site[], pick: Pick): string {
  const site = sites.find(s => s.name === pick.site);
  return site ? headLabel(site, pick.head) : `${pick.site} head ${pick.head}`;
}

/** The head `by` steps on through all heads of all sites in order; it stops at the ends. */
export function step(sites: readonly Site[], pick: Pick, by: number): Pick {
  const all = sites.flatMap(site => Array.from({ length: site.heads ?? 0 }, (_, head) => ({ site: site.name, head })));
  const at = all.findIndex(one => one.site === pick.site && one.head === pick.head);
  return all[Math.min(all.length - 1, Math.max(0, at + by))] ?? pick;
}

function nthOf(site: Site): number {
  return Number(/attn\.(\d+)$/.exec(site.name)?.[1] ?? 0);
}

function span(layers: readonly number[]): string {
  if (layers.length === 0) return 'none';
  const first = layers[0];
  const last = layers[layers.length - 1];
  return last - first + 1 === layers.length && layers.length > 1 ? `${first} to ${last}` : layers.join(', ');
}
