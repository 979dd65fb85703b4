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

/** Heads whose score is over a threshold, strongest first. */
export function strongest(trace: Judged, score: (head: Found) => number, threshold: number): readonly (Found & { readonly score: number })[] {
  return allHeads(trace).map(head => ({ ...head, score: score(head) })).filter(head => head.score > threshold).sort((a, b) => b.score - a.score || a.label.localeCompare(b.label));
}
