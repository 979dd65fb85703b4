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

/** A trace as far as this room needs it, with the links of its sites; `trace` is undefined where nothing was measured. */
export interface TracedLinks { readonly links: readonly SiteLink[]; readonly trace?: TraceInfo }

export interface Lens {
  /** First line of the class. */
  readonly range: TextRange;
  readonly kind: 'trace' | 'measured' | 'stale';
  readonly className: string;
  /** Names of the sites whose numbers it shows. */
  readonly sites: readonly string[];
  /** Position of the trace that they come from, among those given; undefined for an offer. */
  readonly of?: number;
  readonly title: string;
  /** A class that inherits this one's forward and ran. */
  readonly heir?: string;
  /** Why this class is taken for attention, a phrase. */
  readonly why: string;
}

/** Lenses of one file for one trace; `lensesOf` has several. */
export function lensesFor(document: SourceDocument, links: readonly SiteLink[], trace?: TraceInfo, index: ModuleIndex = createIndex([document])): readonly Lens[] {
  return lensesOf(document, [{ links, ...(trace && { trace }) }], index);
}

/**
 * Lenses of one file, in the order of its text. `traces`: newest first, one a model; each class gets the numbers of the newest that ran it, so
 * that models which share a file do not mix. `index`, over all files, lets inherited forwards count; without it only this file is known.
 */
export function lensesOf(document: SourceDocument, traces: readonly TracedLinks[], index: ModuleIndex = createIndex([document])): readonly Lens[] {
  const lenses: Lens[] = [];
  for (const ref of index.inDocument(document)) {
    const { cls } = ref;
    const why = attentionClass(index, ref)?.reason;
    const linked = traces.map(({ links }) => links.filter(l => l.path === document.path && l.className === cls.qualifiedName && l.classRange?.start.line === cls.headerRange.start.line).map(l => l.site));
    if (why === undefined && linked.every(sites => sites.length === 0)) continue;
    const measured = traces.map(({ trace }, i) => trace ? linked[i].filter(s => trace.parity[s] || trace.heads[s]) : []);
    const of = measured.findIndex(sites => sites.length > 0);
    const shared = { range: cls.headerRange, className: cls.qualifiedName, why: why ?? 'the model ran it' };
    lenses.push(of < 0 ? { ...shared, ...offer(document, cls.qualifiedName, traces), sites: linked.find(sites => sites.length > 0) ?? [] } : { ...shared, ...numbers(measured[of], traces[of].trace!), sites: measured[of], of });
  }
  // In an installed file the classes of other models stand beside the one that ran (BertCrossAttention): there, an offer would look like a result that is missing.
  return document.installed && lenses.some(lens => lens.kind !== 'trace') ? lenses.filter(lens => lens.kind !== 'trace' || lens.heir) : lenses;
}

/** What a class offers that no trace has measured. */
function offer(document: SourceDocument, className: string, traces: readonly TracedLinks[]): Pick<Lens, 'kind' | 'title' | 'heir'> {
  const heirs = [...new Set(traces.filter(t => t.trace).flatMap(({ links }) => links.filter(l => l.forward?.path === document.path && l.forward.className === className).map(l => l.className)))];
  return heirs.length > 0 ? { kind: 'trace', title: `Trace Attention · its forward ran in ${heirs.join(', ')}`, heir: heirs[0] } : { kind: 'trace', title: 'Trace Attention' };
}

function numbers(sites: readonly string[], trace: TraceInfo): Pick<Lens, 'kind' | 'title'> {
  return trace.stale === undefined ? { kind: 'measured', title: measuredTitle(sites, trace) } : { kind: 'stale', title: `stale: ${trace.stale} · trace again` };
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
