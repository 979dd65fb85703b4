/** How much attention the main sink and a second one take, layer by layer: what the rules about sinks found, as two numbers a layer. */
import { siteLabel, type Site } from '../../extension/contract/site.ts';
import type { Manifest, Verdict } from '../../extension/contract/trace.ts';
import { standing } from './parity.ts';
import { tokenAt, word } from './tokens.ts';

export interface SinkLayer {
  readonly site: Site;
  /** `L5`. */
  readonly label: string;
  /** Means over the site's heads, 0 to 1; undefined where the site failed the parity check. */
  readonly main: number | undefined;
  readonly second: number | undefined;
}
export interface SinkPlace { readonly position: number; readonly token: string }
export interface SinkProfile { readonly main: SinkPlace; readonly second: SinkPlace | undefined; readonly layers: readonly SinkLayer[] }

/** With fewer layers the sentences say it all. */
const fewestLayers = 8;

/**
 * Undefined where no sink was found, or in few layers. Of both, what a key gets of the attention of the queries that see it (of the second: of the other
 * queries); a head counts as 0 where another later key is stronger.
 */
export function sinkProfile(manifest: Pick<Manifest, 'sites' | 'heads' | 'parity' | 'input' | 'verdicts'>, batch: number): SinkProfile | undefined {
  const found = manifest.verdicts.find(verdict => verdict.rule === 'sinks'), stack = found?.evidence['stack'], position = placeOf(found);
  if (!found || typeof stack !== 'string' || position === undefined) return undefined;
  const sites = manifest.sites.filter(site => site.stack === stack && site.kind === 'self' && manifest.heads[site.name]?.length);
  if (sites.length < fewestLayers) return undefined;
  const other = placeOf(manifest.verdicts.find(verdict => verdict.rule === 'two-sinks' && verdict.evidence['stack'] === stack));
  const start = Math.max(0, manifest.input.real[batch]?.indexOf(1) ?? 0), place = (at: number): SinkPlace => ({ position: at, token: word(tokenAt(manifest.input, batch, at + start)) });
  const layers = sites.map(site => {
    const heads = manifest.heads[site.name].filter(head => head.batch === batch), failed = standing(manifest.parity[site.name]) === 'failed' || !heads.length, mean = (of: (head: typeof heads[number]) => number): number | undefined => (failed ? undefined : heads.reduce((sum, head) => sum + of(head), 0) / heads.length);
    return {
      site, label: siteLabel(site), main: mean(head => (position === 0 ? head.firstTokenShare : head.sinkKey === position + start ? head.sink : 0)),
      second: other === undefined ? undefined : mean(head => (head.secondarySinkKey === other + start ? head.secondarySink ?? 0 : 0)),
    };
  });
  return { main: place(position), second: other === undefined ? undefined : place(other), layers };
}

function placeOf(verdict: Verdict | undefined): number | undefined {
  const position = verdict?.evidence['position'];
  return typeof position === 'number' && Number.isSafeInteger(position) && position >= 0 ? position : undefined;
}
