/** Finds typed text in a sample, also where it runs over several tokens. */
import type { TraceInput } from '../../extension/contract/trace.ts';

/** What is searched at most. */
const mostMatches = 1_000;

/** Positions of the tokens where `text` begins, in order; letter case does not count. Nothing for blank text. */
export function findText(input: TraceInput, batch: number, text: string): number[] {
  const wanted = fold(text.trim()), tokens = input.tokens[batch] ?? [];
  if (wanted === '') return [];
  const spans = input.spans[batch], found = new Set<number>();
  if (input.ids.length === 1 && spans?.length === tokens.length) {
    for (const [segment, part] of [input.text, input.pair].entries()) {
      if (part !== undefined) collect(fold(part), wanted, at => spans.findIndex((span, i) => span !== null && at >= span[0] && at < span[1] && (input.segments?.[batch]?.[i] === 1 ? 1 : 0) === segment), found);
    }
  }
  // As the tokens are spelled: special tokens, and traces without a text.
  const starts: number[] = [];
  let joined = '';
  for (const token of tokens) { starts.push(joined.length); joined += fold(token.replace(/^##(?=\S)/, '')); }
  collect(joined, wanted, at => tokenAtOffset(starts, at), found);
  return [...found].filter(at => at >= 0).sort((a, b) => a - b);
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
