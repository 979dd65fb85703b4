/** Tokens as a person reads them: white space made visible, special tokens told apart, and the text around one. */
import type { TraceInput } from '../../extension/contract/trace.ts';

const signs: Readonly<Record<string, string>> = { '\n': '⏎', '\r': '␍', '\t': '⇥' };

/** White space that would be lost at the ends of a label, and line ends anywhere, as signs; an empty token as `∅`. */
export function shown(token: string): string {
  if (token === '') return '∅';
  return token.replace(/[\n\r\t]/g, sign => signs[sign]).replace(/^ +| +$/g, spaces => '·'.repeat(spaces.length));
}

/** The token as a word among words, for lists where a leading space says nothing: cut at both ends, never empty. */
export function word(token: string): string {
  const bare = token.trim();
  return bare === '' ? shown(token) : shown(bare);
}

/** `<bos>`, `<|endoftext|>`, `[CLS]`, `</s>`, `<0x0A>` is a byte and not one of them. */
export function isSpecial(token: string): boolean {
  return /^(<[^<>\s]{1,40}>|\[[A-Z][A-Z0-9_]{1,20}\])$/.test(token) && !/^<0x[0-9A-F]{2}>$/i.test(token);
}

/** Label of position `index`: its token, or `#index` beyond what the trace names. */
export function tokenAt(input: TraceInput, batch: number, index: number): string {
  return input.tokens[batch]?.[index] ?? `#${index}`;
}

export interface Surroundings { readonly before: string; readonly here: string; readonly after: string }

/**
 * The text around tokens [index, to): from the prompt's own characters where the trace has spans (one sample with text),
 * otherwise from the neighbouring tokens. At most `room` characters on each side, `…` where text was cut.
 */
<<<<<<< HEAD
export function around(input: TraceInput, batch: number, index: number, room = 28): Surroundings {
  const text = input.segments?.[batch]?.[index] === 1 ? input.pair : input.text;
  const span = text !== undefined && input.ids.length === 1 ? input.spans[batch]?.[index] : undefined;
  if (span && text !== undefined) {
    return {
      before: tail(text.slice(Math.max(0, span[0] - room - 1), span[0]), room),
      here: text.slice(span[0], span[1]),
      after: head(text.slice(span[1], span[1] + room + 1), room),
=======
export function around(input: TraceInput, batch: number, index: number, room = 28, to = index + 1): Surroundings {
  const spans = input.text !== undefined && input.ids.length === 1 ? input.spans[batch] : undefined, first = spans?.[index], last = spans?.[to - 1];
  if (first && last && input.text !== undefined) {
    const end = Math.max(first[1], last[1]);
    return {
      before: tail(input.text.slice(Math.max(0, first[0] - room - 1), first[0]), room),
      here: input.text.slice(first[0], end),
      after: head(input.text.slice(end, end + room + 1), room),
>>>>>>> 2684847 (Attention: words, sink apart, pins, lines, search, links, exports (first version))
    };
  }
  const tokens = input.tokens[batch] ?? [];
  const near = (from: number, end: number): string => tokens.slice(Math.max(0, from), Math.max(0, end)).join('');
  return { before: tail(near(index - room, index), room), here: index < tokens.length ? near(index, to) : `#${index}`, after: head(near(to, to + room), room) };
}

function tail(text: string, room: number): string {
  return text.length > room ? `…${text.slice(-room)}` : text;
}

function head(text: string, room: number): string {
  return text.length > room ? `${text.slice(0, room)}…` : text;
}
