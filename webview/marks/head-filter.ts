/** The Overview's filter: `L3`, `H0-3`, `L3H1`, `decoder.cross.L2`, `kv 1`, `sink > 0.5`, joined by spaces (all of them), commas (any of them) and `not`. */
import type { MetricCard } from '../../extension/contract/trace.ts';
import { metricOf, type HeadEntry } from './heads.ts';

/** `matches` says whether a head passes. */
export type Filter = { readonly matches: (entry: HeadEntry) => boolean } | { readonly problem: string };
/** Undefined where the question has no answer for a head: its number is missing. */
type Term = (entry: HeadEntry) => boolean | undefined;

export const longestFilter = 200;

const range = '(?:\\s*(?:-|–|\\.\\.)\\s*(?:[lh]\\s*)?(\\d{1,4}))?', stack = '(?:(main|encoder|decoder|vision|text|audio)\\.)?(cross\\.)?', end = '(?![\\w.])';
const forms = {
  or: /\s*(?:[,;|]+|or(?![\w.]))\s*/iy,
  and: /\s*(?:&+|and(?![\w.]))\s*/iy,
  not: /(?:!\s*|-\s*(?=[a-z])|not\s+)/iy,
  word: /(main|encoder|decoder|vision|text|audio|self|cross)(?![\w.-])(?!\s*(?:[<>=≥≤≠]|!=))/iy,
  head: new RegExp(`${stack}l(?:ayers?)?\\s*(\\d{1,4})(?:\\.(\\d{1,4}))?[\\s.]*h(?:eads?)?\\s*(\\d{1,4})${range}${end}`, 'iy'),
  layers: new RegExp(`${stack}l(?:ayers?)?\\s*(\\d{1,4})(?:\\.(\\d{1,4}))?${range}${end}`, 'iy'),
  heads: new RegExp(`h(?:eads?)?\\s*(\\d{1,4})${range}${end}`, 'iy'),
  kv: new RegExp(`kv\\s*(\\d{1,4})${range}${end}`, 'iy'),
  pair: /(\d{1,4})[./](\d{1,4})(?![\w.])/iy,
  metric: /([a-z][a-z -]*?)\s*(>=|<=|==?|!=|[<>≥≤≠])\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)?\s*(%)?/iy,
};

/** An empty text passes every head. */
export function parseFilter(text: string, cards: readonly MetricCard[]): Filter {
  if (text.length > longestFilter) return { problem: `A filter must be at most ${longestFilter} characters long.` };
  const clauses: Term[][] = [[]];
  let at = 0;
  const take = (form: RegExp): RegExpExecArray | undefined => {
    form.lastIndex = at;
    const found = form.exec(text) ?? undefined;
    if (found) at = form.lastIndex;
    return found;
  };
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (at >= text.length) break;
    if (take(forms.or)) { if (clauses[clauses.length - 1].length) clauses.push([]); continue; }
    if (take(forms.and)) continue;
    let negated = false;
    while (take(forms.not)) negated = !negated;
    const term = place(take) ?? comparison(take, cards) ?? { problem: unknown(text.slice(at), cards) };
    if ('problem' in term) return term;
    clauses[clauses.length - 1].push(negated ? entry => { const answer = term.term(entry); return answer === undefined ? undefined : !answer; } : term.term);
  }
  const asked = clauses.filter(clause => clause.length);
  return { matches: entry => !asked.length || asked.some(clause => clause.every(term => term(entry) === true)) };
}

type Take = (form: RegExp) => RegExpExecArray | undefined;
type Taken = { readonly term: Term } | { readonly problem: string };

/** Terms about where a head is. */
function place(take: Take): Taken | undefined {
  let found = take(forms.word);
  if (found) {
    const word = found[1].toLowerCase();
    return { term: ({ site }) => (word === 'self' || word === 'cross' ? site.kind === word : site.stack === word) };
  }
  found = take(forms.head);
  if (found) { const layer = inLayers(found[1], found[2], found[3], found[4], undefined), head = within(found[5], found[6]); return { term: entry => layer(entry) && head(entry.head) }; }
  found = take(forms.layers);
  if (found) return { term: inLayers(found[1], found[2], found[3], found[4], found[5]) };
  found = take(forms.heads);
  if (found) { const head = within(found[1], found[2]); return { term: entry => head(entry.head) }; }
  found = take(forms.kv);
  if (found) { const kv = within(found[1], found[2]); return { term: entry => kv(entry.kv) }; }
  found = take(forms.pair);
  if (found) { const [, layer, head] = found.map(Number); return { term: entry => entry.site.layer === layer && entry.head === head }; }
  return undefined;
}

/** Without a stack before it, a layer is that layer of every stack. */
function inLayers(stackName: string | undefined, cross: string | undefined, from: string, nth: string | undefined, to: string | undefined): (entry: HeadEntry) => boolean {
  const layer = within(from, to);
  return ({ site }) => layer(site.layer) && (!stackName || site.stack === stackName.toLowerCase()) && (!cross || site.kind === 'cross') && (nth === undefined || Number(/attn\.(\d+)$/.exec(site.name)?.[1] ?? 0) === Number(nth));
}

function within(from: string, to: string | undefined): (value: number) => boolean {
  const ends = [Number(from), Number(to ?? from)], low = Math.min(...ends), high = Math.max(...ends);
  return value => value >= low && value <= high;
}

const tests: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b, '<': (a, b) => a < b, '>=': (a, b) => a >= b, '≥': (a, b) => a >= b, '<=': (a, b) => a <= b, '≤': (a, b) => a <= b,
  '=': (a, b) => a === b, '==': (a, b) => a === b, '!=': (a, b) => a !== b, '≠': (a, b) => a !== b,
};

/** `sink > 0.5`, `previous token ≥ 50%`. */
function comparison(take: Take, cards: readonly MetricCard[]): Taken | undefined {
  const found = take(forms.metric);
  if (!found) return undefined;
  const [, name, operator, number, sign] = found, card = findMetric(name, cards);
  if (!card) return { problem: unknown(name, cards) };
  if (number === undefined) return { problem: `${name.trim()} ${operator} needs a number, as ${name.trim()} ${operator} ${card.unit === 'share' ? 0.5 : 1}.` };
  const bound = Number(number) / (sign ? 100 : 1), test = tests[operator];
  return { term: entry => { const value = metricOf(entry, card); return value === undefined ? undefined : test(value, bound); } };
}

/** By name or title, whole or as a beginning that only one metric has. */
export function findMetric(text: string, cards: readonly MetricCard[]): MetricCard | undefined {
  const bare = (name: string): string => name.toLowerCase().replace(/[^a-z]/g, ''), asked = bare(text);
  if (!asked) return undefined;
  const exact = cards.find(card => bare(card.name) === asked || bare(card.title) === asked), begun = cards.filter(card => bare(card.name).startsWith(asked) || bare(card.title).startsWith(asked));
  return exact ?? (begun.length === 1 ? begun[0] : undefined);
}

function unknown(rest: string, cards: readonly MetricCard[]): string {
  const asked = rest.trim(), card = findMetric(/^[a-z-]*/i.exec(asked)![0], cards);
  if (card && /^[a-z -]+$/i.test(asked)) return `${asked} needs a comparison, as ${asked} > ${card.unit === 'share' ? 0.5 : 1}.`;
  const named = asked.length > 24 ? `${asked.slice(0, 24)}…` : asked;
  return `“${named}” names no layer, head or metric: write L3, H1, L3H1 or sink > 0.5. Metrics are ${cards.map(one => one.title.toLowerCase()).join(', ')}.`;
}
