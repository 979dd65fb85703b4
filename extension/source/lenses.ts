/** What stands over attention classes: an offer to trace, what was measured, or that it is stale. */
import type { Manifest } from '../contract/trace.ts';
import { attentionClass } from './attention-classes.ts';
import { createIndex, type ModuleIndex } from './module-index.ts';
import type { SiteLink } from './link.ts';
import type { SourceDocument, TextRange } from './python-module.ts';

/** A head is a sink head when its strongest key's importance is above this (attention-sink-emergence uses 0.3). */
export const sinkThreshold = 0.3;

/** What of a trace the source needs. `stale`: what changed since, as in `model.onnx changed`; undefined while it holds. */
export type TraceInfo = Pick<Manifest, 'heads' | 'parity'> & { readonly stale?: string };

export interface Lens {
  /** First line of the class. */
  readonly range: TextRange;
  readonly kind: 'trace' | 'measured' | 'stale';
  readonly className: string;
  /** Names of the sites whose numbers it shows. */
  readonly sites: readonly string[];
  readonly title: string;
  /** Why this class is taken for attention, a phrase. */
  readonly why: string;
}

/** Lenses of one file, in the order of its text. `index`, over all files, lets inherited forwards count; without it only this file is known. */
export function lensesFor(document: SourceDocument, links: readonly SiteLink[], trace?: TraceInfo, index: ModuleIndex = createIndex([document])): readonly Lens[] {
  const lenses: Lens[] = [];
  for (const ref of index.inDocument(document)) {
    const { cls } = ref;
    const found = attentionClass(index, ref);
    const sites = links.filter(l => l.path === document.path && l.className === cls.qualifiedName && l.classRange?.start.line === cls.headerRange.start.line).map(l => l.site);
    if (!found && sites.length === 0) continue;
    const shared = { range: cls.headerRange, className: cls.qualifiedName, sites, why: found?.reason ?? 'the model ran it' };
    const measured = trace ? sites.filter(s => trace.parity[s] || trace.heads[s]) : [];
    if (!trace || measured.length === 0) {
      const heirs = [...new Set(links.filter(l => l.forward?.path === document.path && l.forward.className === cls.qualifiedName).map(l => l.className))];
      lenses.push({ ...shared, kind: 'trace', title: trace && heirs.length > 0 ? `Trace Attention · its forward ran in ${heirs.join(', ')}` : 'Trace Attention' });
    } else if (trace.stale !== undefined) lenses.push({ ...shared, sites: measured, kind: 'stale', title: `stale: ${trace.stale} · trace again` });
    else lenses.push({ ...shared, sites: measured, kind: 'measured', title: measuredTitle(measured, trace) });
  }
  return lenses;
}

/** `8 sites · 11 sink heads · parity 2e-6`. */
export function measuredTitle(sites: readonly string[], trace: TraceInfo): string {
  return [count(sites.length, 'site'), count(sinkHeads(sites, trace), 'sink head'), parityText(sites, trace)].join(' · ');
}

/** Heads that are sinks in at least one sample of the batch. */
export function sinkHeads(sites: readonly string[], trace: TraceInfo): number {
  return sites.reduce((sum, site) => sum + new Set((trace.heads[site] ?? []).filter(h => h.sink > sinkThreshold).map(h => h.head)).size, 0);
}

/** The worst of the sites; a failure is said first. */
export function parityText(sites: readonly string[], trace: TraceInfo): string {
  const parities = sites.map(s => trace.parity[s]).filter(p => p !== undefined);
  const compared = parities.map(p => p.maxAbs).filter(p => p !== null);
  const failed = parities.filter(p => p.ok === false);
  if (failed.length > 0) return `parity fails at ${count(failed.length, 'site')} (${shortNumber(Math.max(...failed.map(p => p.maxAbs ?? NaN)))})`;
  return compared.length === 0 ? 'parity not checked' : `parity ${shortNumber(Math.max(...compared))}`;
}

/** One digit: 2e-6; 0 stays 0. */
function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return 'not a number';
  return value === 0 ? '0' : value.toExponential(0);
}

function count(n: number, what: string): string { return `${n} ${what}${n === 1 ? '' : 's'}`; }
