/** What two traces were given, position by position. */
import type { TraceInput } from '../../contract/trace.ts';

/** `notes`: sentences that say how far the two can be laid side by side. */
export interface Alignment { readonly same: boolean; readonly notes: readonly string[] }

export function alignment(a: TraceInput, b: TraceInput): Alignment {
  const samples = Math.min(a.ids.length, b.ids.length), notes: string[] = [];
  if (a.ids.length !== b.ids.length) notes.push(`A has ${a.ids.length} samples, B ${b.ids.length}: the first ${samples} are compared.`);
  let same = a.ids.length === b.ids.length;
  for (let n = 0; n < samples; n++) {
    const mine = a.ids[n], theirs = b.ids[n], shared = Math.min(mine.length, theirs.length), of = a.ids.length > 1 ? ` of sample ${n}` : '';
    const from = mine.findIndex((id, i) => i < theirs.length && id !== theirs[i]);
    if (from < 0 && mine.length === theirs.length) continue;
    same = false;
    if (from >= 0) notes.push(`The prompts${of} differ from position ${from} on (${JSON.stringify(a.tokens[n]?.[from] ?? `#${mine[from]}`)} in A, ${JSON.stringify(b.tokens[n]?.[from] ?? `#${theirs[from]}`)} in B).`);
    notes.push(mine.length === theirs.length ? `Positions 0 to ${shared - 1}${of} are compared one by one.`
      : `A has ${mine.length} tokens${of}, B ${theirs.length}: positions 0 to ${shared - 1} are compared one by one, and keys beyond them count as one.`);
    // A batch of different prompts needs no list of them all.
    if (notes.length > 6) { notes.push('Other samples differ too.'); break; }
  }
  // Two tokenizers give one id different meanings.
  if (same && a.tokens.some((tokens, n) => tokens.some((token, i) => b.tokens[n]?.[i] !== undefined && !isId(token) && !isId(b.tokens[n][i]) && b.tokens[n][i] !== token))) notes.push('The token ids are the same, but stand for other tokens: the tokenizers differ.');
  return { same, notes };
}

/** What a trace without a tokenizer calls its tokens. */
function isId(token: string): boolean { return /^#\d+$/.test(token); }
