/** What a verdict rule is: it looks at the numbers of a whole trace and says a sentence, or nothing. */
import type { Verdict } from '../../contract/trace.ts';
import { headLabel, type Site } from '../../contract/site.ts';
import type { HeadStats, Parity, TraceInput } from '../../contract/trace.ts';

export interface TraceNumbers {
  readonly input: TraceInput;
  readonly sites: readonly Site[];
  readonly heads: Readonly<Record<string, readonly HeadStats[]>>;
  readonly parity: Readonly<Record<string, Parity>>;
  readonly emptyRows: Readonly<Record<string, number>>;
  /** Mean over live queries of ln(visible keys), per site and sample: the entropy of a head that looks everywhere alike. */
  readonly evenEntropy: Readonly<Record<string, readonly number[]>>;
  /** Per site: the first tensor with a value that is NaN or infinite, and its index; absent where all are finite. */
  readonly nonFinite: Readonly<Record<string, { readonly tensor: string; readonly index: readonly number[]; readonly count: number }>>;
}

export interface VerdictRule {
  /** Why the threshold is what it is, for the docs. */
  readonly about: string;
  judge(trace: TraceNumbers): readonly Verdict[];
}

export interface RankedHead { readonly label: string; readonly site: Site; readonly head: HeadStats; readonly value: number }

/** Heads (of sites that passed parity) by `value`, largest first. With several samples, the sample stands in the label's place: `L3H1 [1]`. */
export function rankHeads(trace: TraceNumbers, value: (head: HeadStats, site: Site) => number): readonly RankedHead[] {
  const many = trace.input.ids.length > 1;
  return trace.sites.filter(site => trace.parity[site.name]?.ok !== false)
    .flatMap(site => (trace.heads[site.name] ?? []).map(head => ({ label: `${headLabel(site, head.head)}${many ? ` [${head.batch}]` : ''}`, site, head, value: value(head, site) })))
    .sort((a, b) => b.value - a.value);
}

/** `3 heads`, `1 head`. */
export function count(n: number, one: string, many = `${one}s`): string { return `${n} ${n === 1 ? one : many}`; }

/** At most three labels, and how many more. */
export function some(heads: readonly RankedHead[]): string {
  const shown = heads.slice(0, 3).map(head => head.label).join(', ');
  return heads.length > 3 ? `${shown} and ${heads.length - 3} more` : shown;
}

/** How a token reads in a sentence: `<bos>`, or `"key"` for text. */
export function tokenAt(input: TraceInput, batch: number, position: number): string {
  const token = input.tokens[batch]?.[position];
  if (token === undefined) return '';
  return /^[<[].*[>\]]$|^#\d+$/.test(token) ? token : JSON.stringify(token);
}
