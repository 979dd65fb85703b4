/** Every head of a trace as the Overview lists it: its label, its numbers, how they are written, and its place in a ranking. */
import { headLabel, type Site } from '../../extension/contract/site.ts';
import type { HeadStats, Manifest, MetricCard } from '../../extension/contract/trace.ts';
import { standing } from './parity.ts';
import { percent, shortNumber, type Scale } from './scale.ts';

export interface HeadEntry {
  readonly site: Site;
  /** Of the site in the manifest. */
  readonly index: number;
  readonly head: number;
  /** `L3H1`. */
  readonly label: string;
  /** The key/value head that it reads. */
  readonly kv: number;
  readonly stats: HeadStats | undefined;
  /** Its site failed the parity check: neither drawn nor measured. */
  readonly failed: boolean;
}

/** Beyond this many heads a site is damage, not a model: a page is not to hang on it. */
const mostHeads = 4096;

/** The heads of one sample, site after site. */
export function headEntries(manifest: Pick<Manifest, 'sites' | 'heads' | 'parity'>, batch: number): readonly HeadEntry[] {
  return manifest.sites.flatMap((site, index) => {
    const stats = new Map((manifest.heads[site.name] ?? []).filter(one => one.batch === batch).map(one => [one.head, one])), failed = standing(manifest.parity[site.name]) === 'failed', heads = Math.min(site.heads ?? stats.size, mostHeads);
    return Array.from({ length: heads }, (_, head) => ({ site, index, head, label: headLabel(site, head), kv: Math.floor(head * (site.kvHeads ?? heads) / heads), stats: stats.get(head), failed }));
  });
}

/** Whether several query heads share a key/value head. */
export function isGrouped(site: Site): boolean {
  return site.heads !== null && site.kvHeads !== null && site.kvHeads < site.heads;
}

/** A head's number; undefined where it has none, or where it would mean nothing. */
export function metricOf(entry: HeadEntry, card: MetricCard): number | undefined {
  if (entry.failed || !entry.stats || card.selfOnly && (entry.site.kind !== 'self' || entry.site.form !== 'dense')) return undefined;
  const value = entry.stats[card.name] as number | undefined;
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

/** As `62%`, `1.9`, `#4`: for a cell or a column of numbers. */
export function metricNumber(card: MetricCard, value: number | undefined): string {
  return value === undefined ? 'n/a' : card.unit === 'share' ? percent(value) : card.unit === 'position' ? `#${value}` : shortNumber(value);
}

/** As `62%`, `1.9 nats`, `position 4`: for a sentence. */
export function metricText(card: MetricCard, value: number | undefined): string {
  if (value === undefined || card.unit === 'share') return metricNumber(card, value);
  return card.unit === 'position' ? `position ${value}` : `${shortNumber(value)} ${card.unit}`;
}

export interface Ranked { readonly entry: HeadEntry; readonly value: number }

/** Heads that have the number, most first (`lowest`: least first); ties in the order of layers and heads. */
export function rank(entries: readonly HeadEntry[], card: MetricCard, lowest = false): readonly Ranked[] {
  const sign = lowest ? 1 : -1;
  return entries.flatMap(entry => { const value = metricOf(entry, card); return value === undefined ? [] : [{ entry, value }]; })
    .sort((a, b) => sign * (a.value - b.value) || a.entry.index - b.entry.index || a.entry.head - b.entry.head);
}

/** Mean over those heads that have the number. */
export function meanOf(entries: readonly HeadEntry[], card: MetricCard): number | undefined {
  const values = entries.map(entry => metricOf(entry, card)).filter(value => value !== undefined);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
}

/** Colors of a metric. Shares and positions start at zero; what has no end of its own (nats, tokens) runs from the least of these heads to the most, or all would look alike. */
export function metricScale(entries: readonly HeadEntry[], card: MetricCard): Scale {
  const { least, most } = metricEnds(entries, card), fromZero = card.unit === 'share' || card.unit === 'position' || !(least < most);
  return { kind: 'linear', lo: fromZero ? 0 : least, hi: most > 0 ? most : 1 };
}

/** Least and most of those that have the number; 0 and 0 where none has. */
export function metricEnds(entries: readonly HeadEntry[], card: MetricCard): { readonly least: number; readonly most: number } {
  let least = Infinity, most = -Infinity;
  for (const entry of entries) {
    const value = metricOf(entry, card);
    if (value === undefined) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return most === -Infinity ? { least: 0, most: 0 } : { least, most };
}
