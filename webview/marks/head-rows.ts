/** The rows of the Overview's grid: layers down and heads across, or heads in the order of a metric; query heads by their key/value head. */
import { siteLabel, type Site } from '../../extension/contract/site.ts';
import type { MetricCard } from '../../extension/contract/trace.ts';
import { isGrouped, meanOf, rank, type HeadEntry } from './heads.ts';

/** `layers`: as the model has them; `within`: each layer's heads by the metric; `all`: all heads by the metric. */
export const headOrders = ['layers', 'within', 'all'] as const;
export type HeadOrder = (typeof headOrders)[number];

export interface HeadCell {
  readonly entry: HeadEntry;
  /** The filter passes over it; it keeps its place. */
  readonly faint: boolean;
}
/** Query heads of one key/value head: cells `from` to `from + count` of the row. */
export interface HeadGroup { readonly kv: number; readonly from: number; readonly count: number; /** Of the metric, over those that have it. */ readonly mean: number | undefined }
export interface HeadRow {
  readonly key: string;
  readonly label: string;
  /** The whole of it, for a tooltip. */
  readonly title: string;
  /** The one site that all of its cells are of, where there is one. */
  readonly site: Site | undefined;
  readonly cells: readonly HeadCell[];
  /** Empty where query heads are not grouped. */
  readonly groups: readonly HeadGroup[];
}
/** Rows of one stack and kind; `title` is undefined where the trace has no other. */
export interface HeadSection { readonly key: string; readonly title: string | undefined; readonly rows: readonly HeadRow[] }

export interface RowsOf {
  readonly order: HeadOrder;
  readonly lowest: boolean;
  readonly grouped: boolean;
  readonly card: MetricCard;
  readonly matches: (entry: HeadEntry) => boolean;
  /** Heads in a row of the order `all`. */
  readonly columns: number;
}

/** Rows without a head that the filter passes are left out; in the order of layers, heads that it does not pass keep their place. */
export function headRows(entries: readonly HeadEntry[], of: RowsOf): readonly HeadSection[] {
  if (of.order === 'all') {
    const passed = entries.filter(of.matches), rows = of.grouped ? rowsOfGroups(passed, of) : rowsOfRank(passed, of);
    return rows.length ? [{ key: 'all', title: undefined, rows }] : [];
  }
  const bySite = groupBy(entries, entry => entry.index), sections = new Map<string, HeadRow[]>();
  for (const own of bySite.values()) {
    const { site } = own[0], row = rowOfSite(site, own, of), key = `${site.stack} ${site.kind}`;
    if (row) sections.set(key, [...sections.get(key) ?? [], row]);
  }
  const kinds = new Set(entries.map(({ site }) => `${site.stack} ${site.kind}`));
  return [...sections].map(([key, rows]) => ({ key, title: kinds.size > 1 ? sectionTitle(rows[0].site!) : undefined, rows }));
}

function sectionTitle(site: Site): string {
  const name = `${site.stack === 'main' ? '' : `${site.stack} `}${site.kind}-attention`;
  return name[0].toUpperCase() + name.slice(1);
}

function rowOfSite(site: Site, own: readonly HeadEntry[], of: RowsOf): HeadRow | undefined {
  const passed = own.filter(of.matches), short = siteLabel({ ...site, stack: 'main', kind: 'self' });
  if (!passed.length) return undefined;
  const chosen = of.order === 'layers' ? own : passed, inOrder = of.order === 'layers' ? chosen : byMetric(chosen, of), set = new Set(passed);
  const { list, groups } = of.grouped && isGrouped(site) ? grouped(inOrder, of) : { list: inOrder, groups: [] };
  return { key: site.name, label: short, title: site.name, site, cells: list.map(entry => ({ entry, faint: !set.has(entry) })), groups };
}

/** Those without the number come last, in their own order. */
function byMetric(entries: readonly HeadEntry[], of: RowsOf): readonly HeadEntry[] {
  const ranked = rank(entries, of.card, of.lowest).map(({ entry }) => entry), has = new Set(ranked);
  return [...ranked, ...entries.filter(entry => !has.has(entry))];
}

/** Brings heads of one key/value head together: groups by their mean where heads are ordered by the metric, else as the model has them. */
function grouped(entries: readonly HeadEntry[], of: RowsOf): { readonly list: readonly HeadEntry[]; readonly groups: readonly HeadGroup[] } {
  const parts = [...groupBy(entries, entry => entry.kv)].map(([kv, heads]) => ({ kv, heads, mean: meanOf(heads, of.card) }));
  if (of.order === 'layers') parts.sort((a, b) => a.kv - b.kv); else parts.sort(byMean(of));
  let from = 0;
  return { list: parts.flatMap(part => part.heads), groups: parts.map(({ kv, heads, mean }) => { const group = { kv, from, count: heads.length, mean }; from += heads.length; return group; }) };
}

function byMean(of: RowsOf): (a: { readonly mean: number | undefined }, b: { readonly mean: number | undefined }) => number {
  return (a, b) => (a.mean === undefined || b.mean === undefined ? Number(a.mean === undefined) - Number(b.mean === undefined) : (of.lowest ? 1 : -1) * (a.mean - b.mean));
}

function rowsOfRank(entries: readonly HeadEntry[], of: RowsOf): readonly HeadRow[] {
  const list = byMetric(entries, of), rows: HeadRow[] = [];
  for (let from = 0; from < list.length; from += of.columns) {
    const part = list.slice(from, from + of.columns), label = part.length === 1 ? `${from + 1}` : `${from + 1}–${from + part.length}`;
    rows.push({ key: `rank ${from}`, label, title: `Ranks ${label} of ${list.length}`, site: undefined, cells: part.map(entry => ({ entry, faint: false })), groups: [] });
  }
  return rows;
}

/** One row a key/value head; sites whose heads share none are one row each. */
function rowsOfGroups(entries: readonly HeadEntry[], of: RowsOf): readonly HeadRow[] {
  const parts = [...groupBy(entries, entry => (isGrouped(entry.site) ? `${entry.site.name} ${entry.kv}` : entry.site.name))].map(([key, heads]) => ({ key, heads: byMetric(heads, of), mean: meanOf(heads, of.card) }));
  return parts.sort(byMean(of)).map(({ key, heads, mean }) => {
    const [{ site, kv }] = heads, shared = isGrouped(site);
    return {
      key, label: shared ? `${siteLabel(site)} kv${kv}` : siteLabel(site), title: shared ? `${site.name}, key/value head ${kv}` : site.name, site,
      cells: heads.map(entry => ({ entry, faint: false })), groups: shared ? [{ kv, from: 0, count: heads.length, mean }] : [],
    };
  });
}

/** Of Page Up and Page Down. */
const pageRows = 5;

export interface GridPlace { readonly row: number; readonly col: number }

/** Where a key of the keyboard leads from a cell: to the next head that is not faint; undefined for other keys and at the edges. `whole`: Home and End of the grid, not of the row. */
export function moveIn(rows: readonly HeadRow[], from: GridPlace, key: string, whole = false): GridPlace | undefined {
  const to = target(rows, from, key, whole);
  return to && (to.row !== from.row || to.col !== from.col) ? to : undefined;
}

function target(rows: readonly HeadRow[], from: GridPlace, key: string, whole: boolean): GridPlace | undefined {
  const free = (row: number): readonly number[] => rows[row]?.cells.flatMap((cell, col) => (cell.faint ? [] : [col])) ?? [];
  const nearest = (row: number, step: number): GridPlace | undefined => {
    for (let at = row; at >= 0 && at < rows.length; at += step) {
      const cols = free(at);
      if (cols.length) return { row: at, col: cols.reduce((best, col) => (Math.abs(col - from.col) < Math.abs(best - from.col) ? col : best)) };
    }
    return undefined;
  };
  const along = (cols: readonly number[], row: number, last: boolean): GridPlace | undefined => (cols.length ? { row, col: cols[last ? cols.length - 1 : 0] } : undefined);
  switch (key) {
    case 'ArrowRight': return along(free(from.row).filter(col => col > from.col), from.row, false);
    case 'ArrowLeft': return along(free(from.row).filter(col => col < from.col), from.row, true);
    case 'ArrowDown': return nearest(from.row + 1, 1);
    case 'ArrowUp': return nearest(from.row - 1, -1);
    case 'PageDown': return nearest(Math.min(rows.length - 1, from.row + pageRows), from.row + pageRows < rows.length ? 1 : -1);
    case 'PageUp': return nearest(Math.max(0, from.row - pageRows), from.row - pageRows >= 0 ? -1 : 1);
    case 'Home': case 'End': {
      const last = key === 'End', row = whole ? (last ? rows.length - 1 : 0) : from.row, place = whole ? nearest(row, last ? -1 : 1) : { row, col: 0 };
      return place && along(free(place.row), place.row, last);
    }
    default: return undefined;
  }
}

function groupBy<T, K>(list: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of list) { const key = keyOf(one), group = groups.get(key); if (group) group.push(one); else groups.set(key, [one]); }
  return groups;
}
