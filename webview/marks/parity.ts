/** The parity badge: one line for the whole trace, one sentence for every site that may not be drawn as if it were right. */
import { siteLabel, type Site } from '../../extension/contract/site.ts';
import type { Manifest, Parity } from '../../extension/contract/trace.ts';
import { shortNumber } from './scale.ts';

export interface Badge {
  readonly level: 'ok' | 'failed' | 'none';
  /** As `parity 2e-6`. */
  readonly text: string;
  /** The whole of it, a sentence. */
  readonly detail: string;
  readonly failures: readonly { readonly site: string; readonly sentence: string }[];
}

/** How a site stands: `ok`, `failed` (never drawn), `unchecked` (drawn, and said). */
export function standing(parity: Parity | undefined): 'ok' | 'failed' | 'unchecked' {
  return parity?.ok === true ? 'ok' : parity?.ok === false ? 'failed' : 'unchecked';
}

export function badge(manifest: Pick<Manifest, 'sites' | 'parity'>): Badge {
  const checked = manifest.sites.map(site => ({ site, parity: manifest.parity[site.name] })).filter(one => one.parity && one.parity.ok !== null);
  const failed = checked.filter(one => one.parity.ok === false);
  if (checked.length === 0) return { level: 'none', text: 'parity not checked', detail: 'No site of this trace could be compared with the model’s own numbers.', failures: [] };
  const worst = checked.reduce((a, b) => excess(b.parity) > excess(a.parity) ? b : a);
  const unchecked = manifest.sites.length - checked.length;
  const rows = Math.min(...checked.map(one => one.parity.rows));
  if (failed.length === 0) {
    return {
      level: 'ok', text: `parity ${shortNumber(worst.parity.maxAbs ?? 0)}`, failures: [],
      detail: `${checked.length} ${checked.length === 1 ? 'site agrees' : 'sites agree'} with the model’s own numbers: worst ${siteLabel(worst.site)}, ${shortNumber(worst.parity.maxAbs ?? 0)} of ${shortNumber(worst.parity.tolerance)} allowed (${ofWhat(worst.parity)}, ${rows} rows a head, stored as ${worst.parity.dtype}).`
        + (unchecked > 0 ? ` ${unchecked} more could not be compared.` : ''),
    };
  }
  return {
    level: 'failed', text: `parity failed at ${failed.length} of ${manifest.sites.length} ${manifest.sites.length === 1 ? 'site' : 'sites'}`,
    detail: `${failed.length} ${failed.length === 1 ? 'site disagrees' : 'sites disagree'} with the model’s own numbers and ${failed.length === 1 ? 'is' : 'are'} not drawn.`,
    failures: failed.map(({ site, parity }) => ({ site: site.name, sentence: failure(site, parity) })),
  };
}

/** Why a site is not drawn. */
export function failure(site: Site, parity: Parity): string {
  const measured = parity.maxAbs === null ? 'it could not be measured' : `off by ${shortNumber(parity.maxAbs)} where ${shortNumber(parity.tolerance)} is allowed (${ofWhat(parity)})`;
  return `${siteLabel(site)}: ${measured}${parity.why ? `. ${parity.why}` : '.'}`;
}

function ofWhat(parity: Parity): string {
  return parity.of === 'pattern' ? 'probabilities' : parity.of === 'output' ? 'output' : 'nothing to compare';
}

/** How far towards (or beyond) its tolerance a site is; a difference that is not a number is the worst. */
function excess(parity: Parity): number {
  return parity.maxAbs === null || !Number.isFinite(parity.maxAbs) ? Infinity : parity.maxAbs / parity.tolerance;
}
