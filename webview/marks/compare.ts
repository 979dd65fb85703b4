/** A comparison as marks: the metrics one can choose, heads in order of one of them, colours' positions, and how changes are written. */
import type { HeadDiff, HeadPlace, TraceDiff } from '../../extension/contract/diff.ts';
import { shortNumber } from './scale.ts';

export type MetricId = 'js' | 'klAB' | 'klBA' | 'tv' | 'maxAbs' | 'keysLost' | 'outputError';
export interface CompareMetric { readonly id: MetricId; readonly title: string; /** Over a column of a table. */ readonly brief: string; readonly help: string; value(head: HeadDiff): number | undefined }

/** `value`: Infinity where it has no bound, undefined where the traces cannot say. */
export const compareMetrics: readonly CompareMetric[] = [
  { id: 'js', title: 'Jensen-Shannon', brief: 'JS', help: 'Jensen-Shannon divergence, nats, mean over rows: 0 is equal, ln 2 = 0.69 has nothing in common', value: head => head.js },
  { id: 'klAB', title: 'KL(A‖B)', brief: 'KL(A‖B)', help: 'Kullback-Leibler divergence of B from A, nats, mean over rows; ∞ where A attends to a key that B cannot see', value: head => head.klAB ?? Infinity },
  { id: 'klBA', title: 'KL(B‖A)', brief: 'KL(B‖A)', help: 'Kullback-Leibler divergence of A from B, nats, mean over rows; ∞ where B attends to a key that A cannot see', value: head => head.klBA ?? Infinity },
  { id: 'tv', title: 'Total variation', brief: 'TV', help: 'Share of the attention that has to move to turn one into the other, mean over rows', value: head => head.tv },
  { id: 'maxAbs', title: 'Largest change', brief: 'max |Δp|', help: 'Largest change of a single probability', value: head => head.maxAbs },
  { id: 'keysLost', title: 'Top-5 keys lost', brief: 'keys lost', help: 'Share of the five most probable keys of a row that are other keys in B, mean over rows', value: head => 1 - head.topKOverlap },
  { id: 'outputError', title: 'Output error', brief: 'output', help: 'Change of the head’s output Σ p·v, relative to its norm in A', value: head => head.outputError ?? undefined },
];

export function metricOf(id: MetricId): CompareMetric { return compareMetrics.find(metric => metric.id === id) ?? compareMetrics[0]; }

export interface RankedHead { readonly place: HeadPlace; readonly head: HeadDiff }

/** Heads that differ at all, largest metric first; those over their floor before those that rounding explains. */
export function ranked(diff: TraceDiff, metric: CompareMetric, batch: number): RankedHead[] {
  const value = (head: HeadDiff): number => metric.value(head) ?? -1;
  return diff.worst.filter(place => place.batch === batch).flatMap(place => {
    const head = headAt(diff, place);
    return head ? [{ place, head }] : [];
  }).sort((x, y) => Number(y.head.above) - Number(x.head.above) || (value(x.head) === value(y.head) ? 0 : value(y.head) - value(x.head)));
}

export function headAt(diff: TraceDiff, at: { readonly site: string; readonly head: number; readonly batch: number }): HeadDiff | undefined {
  return diff.sites.find(site => site.name === at.site)?.heads.find(one => one.head === at.head && one.batch === at.batch);
}

/** Decades that a colour scale of divergences spans. */
const decades = 4;

/** [0, 1] on a log scale up to `most`; 0 at and below its ten-thousandth. */
export function heat(value: number, most: number): number {
  if (!(value > 0) || !(most > 0)) return 0;
  return value >= most ? 1 : Math.max(0, 1 + Math.log10(value / most) / decades);
}

/** `at` in [0, 1], first to last colour. */
export function heatTicks(most: number): { readonly at: number; readonly text: string }[] {
  return Array.from({ length: decades + 1 }, (_, i) => ({ at: i / decades, text: shortNumber(most * 10 ** (i - decades)) }));
}

/** Largest finite value of a metric, of heads over their floor where there are any. */
export function mostOf(diff: TraceDiff, metric: CompareMetric, batch: number): number {
  const values = (heads: readonly HeadDiff[]): number[] => heads.flatMap(head => { const value = metric.value(head); return value !== undefined && Number.isFinite(value) ? [value] : []; });
  const all = diff.sites.flatMap(site => site.heads.filter(head => head.batch === batch)), above = values(all.filter(head => head.above));
  return (above.length ? above : values(all)).reduce((most, value) => Math.max(most, value), 0);
}

/** A change of a share in points: `+28 pt`, `−0.4 pt`, `0`. */
export function points(change: number): string {
  if (!Number.isFinite(change)) return 'n/a';
  if (change === 0) return '0';
  const size = Math.abs(change) * 100, text = size >= 10 ? size.toFixed(0) : size >= 0.1 ? size.toFixed(1) : size >= 0.001 ? size.toFixed(3) : shortNumber(size);
  return `${change > 0 ? '+' : '−'}${text} pt`;
}
