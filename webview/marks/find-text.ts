/** Finds typed text in a sample, also where it runs over several tokens. */
import type { TraceInput } from '../../extension/contract/trace.ts';

/** What is searched at most. */
const mostMatches = 1_000;

/** Positions of the tokens where `text` begins, in order; letter case does not count. Nothing for blank text. */
export function findText(input: TraceInput, batch: number, text: string): number[] {
  const wanted = fold(text.trim()), found = new Set<number>();
  if (wanted === '') return [];
  const { parts, joined, starts } = readied(input, batch);
  for (const { text: part, places, ends, positions } of parts) {
    collect(part, wanted, at => { const n = tokenAtOffset(places, at); return n >= 0 && at < ends[n] ? positions[n] : -1; }, found);
  }
  collect(joined, wanted, at => tokenAtOffset(starts, at), found);
  return [...found].filter(at => at >= 0).sort((a, b) => a - b);
}

/** Texts in small letters, with the places at which their tokens begin, rising. */
interface Readied { readonly parts: readonly { readonly text: string; readonly places: readonly number[]; readonly ends: readonly number[]; readonly positions: readonly number[] }[]; readonly joined: string; readonly starts: readonly number[] }
/** A long prompt is read once, not with every letter that is typed. */
const known = new WeakMap<TraceInput, Map<number, Readied>>();

function readied(input: TraceInput, batch: number): Readied {
  const samples = known.get(input) ?? new Map<number, Readied>(), before = samples.get(batch);
  known.set(input, samples);
  if (before) return before;
  const tokens = input.tokens[batch] ?? [], spans = input.spans[batch], parts: Readied['parts'][number][] = [];
  if (input.ids.length === 1 && spans?.length === tokens.length) {
    for (const [segment, part] of [input.text, input.pair].entries()) {
      if (part === undefined) continue;
      const mine = spans.flatMap((span, i) => (span !== null && span[1] > span[0] && (input.segments?.[batch]?.[i] === 1 ? 1 : 0) === segment ? [{ span, i }] : [])).sort((a, b) => a.span[0] - b.span[0] || b.i - a.i);
      parts.push({ text: fold(part), places: mine.map(one => one.span[0]), ends: mine.map(one => one.span[1]), positions: mine.map(one => one.i) });
    }
  }
  // As the tokens are spelled: special tokens, and traces without a text.
  const starts: number[] = [], pieces: string[] = [];
  let length = 0;
  for (const token of tokens) { const piece = fold(token.replace(/^##(?=\S)/, '')); starts.push(length); pieces.push(piece); length += piece.length; }
  const made = { parts, joined: pieces.join(''), starts };
  samples.set(batch, made);
  return made;
}

function collect(text: string, wanted: string, tokenOf: (at: number) => number, found: Set<number>): void {
  for (let at = text.indexOf(wanted); at >= 0 && found.size < mostMatches; at = text.indexOf(wanted, at + 1)) found.add(tokenOf(at));
}

function tokenAtOffset(starts: readonly number[], at: number): number {
  let low = 0, high = starts.length;
  while (low < high) { const middle = (low + high) >> 1; if (starts[middle] <= at) low = middle + 1; else high = middle; }
  return low - 1;
}

/** Lower case letter by letter, so that offsets stay those of the text. */
function fold(text: string): string { return text.replace(/./gsu, letter => { const small = letter.toLowerCase(); return small.length === letter.length ? small : letter; }); }

/** The match after (or before) a position, round the end. */
export function nextMatch(matches: readonly number[], from: number | undefined, by: 1 | -1): number | undefined {
  if (!matches.length) return undefined;
  if (from === undefined) return by > 0 ? matches[0] : matches[matches.length - 1];
  return by > 0 ? matches.find(at => at > from) ?? matches[0] : [...matches].reverse().find(at => at < from) ?? matches[matches.length - 1];
}
