/** What a verdict rule is: a sentence that the numbers of a trace let us say, with its threshold and its evidence. */
import { headLabel, type Site } from '../../contract/site.ts';
import type { HeadStats, Manifest, Verdict } from '../../contract/trace.ts';

export interface Judged {
  readonly manifest: Omit<Manifest, 'verdicts'>;
  /** Per site, per sample: mean over live rows of ln(visible keys), the entropy of a head that attends evenly. */
  readonly evenEntropy: Readonly<Record<string, readonly number[]>>;
  /** Per site: live rows, summed over samples and heads, whose statistics are not finite. */
  readonly notFinite: Readonly<Record<string, number>>;
}

export interface VerdictRule {
  readonly id: string;
  readonly title: string;
  /** One sentence: when it speaks. */
  readonly summary: string;
  /** It has something to say of every trace: said after what stands out. */
  readonly always?: boolean;
  judge(trace: Judged): readonly Verdict[];
}

/** A head of one sample with its label; the sample is named where there are several. */
export interface Found { readonly site: Site; readonly stats: HeadStats; readonly label: string }

export function allHeads(trace: Judged): readonly Found[] {
  const { manifest } = trace;
  return manifest.sites.flatMap(site => (manifest.heads[site.name] ?? []).map(stats => ({ site, stats, label: labelOf(trace, site, stats.head, stats.batch) })));
}

/** `3 heads`, `1 head`. */
export function count(n: number, what: string): string { return `${n} ${what}${n === 1 ? '' : 's'}`; }

/** The first few of a list, and how many more there are. */
export function few(items: readonly string[], most = 4): string {
  const shown = items.slice(0, most).join(', ');
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}

export function stackName(stack: string): string { return stack === 'main' ? '' : ` of the ${stack} stack`; }

/** The label of a head of a site; the sample is named where there are several. */
export function labelOf({ manifest }: Judged, site: Site, head: number, batch: number): string { return `${headLabel(site, head)}${manifest.input.ids.length > 1 ? ` [${batch}]` : ''}`; }

/** A share in percent, with two digits that mean something: `0.0013 %`, `0.52 %`, `61 %`. */
export function percent(share: number): string { return `${share >= 1 ? Math.round(share * 100) : Number((share * 100).toPrecision(2))} %`; }

/** ε of Gu 2024 (2410.10781): a key is a sink of a head when its importance is over this. */
export const sinkOver = 0.3;

/** The position that most heads of a stack have their sink on, and these heads, strongest first. */
export function mainSink(trace: Judged, stack: string): { readonly position: number; readonly heads: readonly (Found & { readonly score: number; readonly key: number })[] } | undefined {
  const over = strongest(trace, head => head.stats.sink, sinkOver).filter(head => head.site.stack === stack && head.site.kind === 'self').map(head => ({ ...head, key: head.stats.sinkKey }));
  return byPosition(trace, over)[0];
}

/** Heads by the position of their key, the position of most heads first. */
export function byPosition<T extends { readonly stats: HeadStats; readonly key: number }>(trace: Judged, heads: readonly T[]): readonly { readonly position: number; readonly heads: readonly T[] }[] {
  const places = new Map<number, T[]>();
  for (const head of heads) { const position = fromFirst(trace, head.stats.batch, head.key), here = places.get(position); if (here) here.push(head); else places.set(position, [head]); }
  return [...places].map(([position, here]) => ({ position, heads: here })).sort((a, b) => b.heads.length - a.heads.length || a.position - b.position);
}

/** A key counted from the first real token, so that samples with left padding agree. */
export function fromFirst({ manifest }: Judged, batch: number, key: number): number { return key - Math.max(0, manifest.input.real[batch]?.indexOf(1) ?? 0); }

/** ` (The)`, where these heads' keys are one and the same token; white space as signs. */
export function tokenName({ manifest }: Judged, stack: string, heads: readonly { readonly stats: HeadStats; readonly key: number }[]): string {
  const names = new Set(heads.map(head => manifest.input.tokens[head.stats.batch]?.[head.key])), [token] = names;
  if (names.size !== 1 || token === undefined || stack === 'vision' || stack === 'audio') return '';
  return ` (${token.trim() || token.replace(/[^\S ]/g, white => whites[white] ?? white).replaceAll(' ', '·')})`;
}
const whites: Readonly<Record<string, string>> = { '\n': '⏎', '\r': '␍', '\t': '⇥' };

/** Heads whose score is over a threshold, strongest first. */
export function strongest(trace: Judged, score: (head: Found) => number, threshold: number): readonly (Found & { readonly score: number })[] {
  return allHeads(trace).map(head => ({ ...head, score: score(head) })).filter(head => head.score > threshold).sort((a, b) => b.score - a.score || a.label.localeCompare(b.label));
}
