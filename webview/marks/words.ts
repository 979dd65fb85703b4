/** Tokens joined to words: runs of positions, by the text where the trace has it, otherwise by how the tokenizer's family spells. */
import type { TraceInput } from '../../extension/contract/trace.ts';
import { isSpecial, textOf } from './tokens.ts';

/** A run of positions [from, to). */
export interface Word { readonly from: number; readonly to: number }

/** Letters, digits and marks: what words are made of. */
const letter = /^[\p{L}\p{N}\p{M}_]$/u;
/** Writing without blanks between words: joined by nothing but a shared character. */
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー々〆]$/u;
/** What continues the character before it: combining marks, joiners, variation selectors, skin tones. */
const extends_ = /^[\p{M}\u200d\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}\u{e0020}-\u{e007f}]$/u;
const flag = /^[\u{1f1e6}-\u{1f1ff}]$/u;
/** Bytes that are no whole character, as the trace shows them (`\xf0\x9f`, `<0xF0>`). */
const bytePiece = /^(?:\\x([0-9a-f]{2})|<0x([0-9A-F]{2})>)/;

/**
 * Words of one sample, every position in exactly one. Blanks part words; punctuation stands alone but for an apostrophe inside a word; special
 * tokens and blank tokens stand alone; scripts without blanks are not joined, only the pieces of one character are.
 */
export function wordsOf(input: TraceInput, batch: number): Word[] {
  const tokens = input.tokens[batch] ?? [], joins = joinsOf(input, batch, tokens), words: Word[] = [];
  for (let i = 0, from = 0; i < tokens.length; i++) {
    if (i + 1 < tokens.length && joins[i + 1]) continue;
    words.push({ from, to: i + 1 });
    from = i + 1;
  }
  return words;
}

/** Whether there is anything to join by: ids without a tokenizer have no letters. */
export function hasWords(input: TraceInput, batch: number): boolean {
  return (input.tokens[batch] ?? []).some(token => !isSpecial(token) && !/^#\d+$/.test(token));
}

/** The text of a word, blanks around it cut. */
export function wordText(input: TraceInput, batch: number, { from, to }: Word): string {
  const tokens = input.tokens[batch] ?? [], spans = spansOf(input, batch), first = spans?.[from], last = spans?.[to - 1];
  if (first && last) return (textOf(input, batch, from) ?? '').slice(first[0], Math.max(first[1], last[1])).trim() || tokens.slice(from, to).join('');
  const joined = tokens.slice(from, to).map((token, n) => (n > 0 ? token.replace(/^##(?=\S)/, '') : token)).join('');
  return joined.trim() || joined;
}

function spansOf(input: TraceInput, batch: number): TraceInput['spans'][number] | undefined {
  return input.text !== undefined && input.ids.length === 1 && input.spans[batch]?.length === input.tokens[batch]?.length ? input.spans[batch] : undefined;
}

/** joins[i]: token i continues the word of token i − 1. */
function joinsOf(input: TraceInput, batch: number, tokens: readonly string[]): readonly boolean[] {
  const spans = spansOf(input, batch), segments = input.segments?.[batch];
  // `##` continues a word only where no token begins with a blank: elsewhere it is a heading.
  const pieces = tokens.some(token => /^##\S/.test(token)) && !tokens.some(token => /^\s\S/.test(token));
  const nameless = !hasWords(input, batch), joins: boolean[] = [false];
  for (let i = 1; i < tokens.length; i++) {
    const [before, here] = [tokens[i - 1], tokens[i]], [a, b] = [spans?.[i - 1], spans?.[i]];
    const text = textOf(input, batch, i) ?? '';
    if (nameless || isSpecial(before) || isSpecial(here) || (segments && segments[i] !== segments[i - 1])) joins.push(false);
    // A blank that is a token of its own begins the word behind it.
    else if (/^ +$/.test(before) && /^\S/.test(here)) joins.push(true);
    else if (a && b) joins.push(b[0] < a[1] || b[0] === a[0] || (b[0] === a[1] && b[1] > b[0] && follows(text.slice(0, a[1]), text.slice(b[0]), joins[i - 1])));
    else if (pieces) joins.push(/^##\S/.test(here));
    else joins.push(sameCharacter(here) || (!bytePiece.test(here) && !/\\x[0-9a-f]{2}$/.test(before) && follows(before, here + (tokens[i + 1] ?? ''), joins[i - 1])));
  }
  return joins;
}

/** Bytes that go on with the character before: UTF-8's continuation bytes. */
function sameCharacter(token: string): boolean {
  const found = bytePiece.exec(token), byte = found ? parseInt(found[1] ?? found[2], 16) : 0;
  return byte >= 0x80 && byte < 0xc0;
}

/** Whether what begins with `after` continues the word that ends with `before`. `inside`: the last token of `before` continued a word itself. */
function follows(before: string, after: string, inside: boolean): boolean {
  const left = lastOf(before), right = firstOf(after);
  if (left === '' || right === '' || /\s/.test(left) || /\s/.test(right)) return false;
  if (extends_.test(right) || left === '\u200d' || (flag.test(left) && flag.test(right))) return true;
  if (unspaced.test(left) || unspaced.test(right)) return false;
  if (letter.test(left) && letter.test(right)) return true;
  const next = firstOf(after.slice(right.length));
  if (/['’]/.test(right)) return letter.test(left) && letter.test(next);
  return /['’]/.test(left) && letter.test(right) && (inside || letter.test(lastOf(before.slice(0, -1))));
}

function firstOf(text: string): string { return text === '' ? '' : String.fromCodePoint(text.codePointAt(0)!); }
function lastOf(text: string): string { return [...text.slice(-2)].at(-1) ?? ''; }
