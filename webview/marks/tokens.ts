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

/** The text that a token's span lies in: of two segments, its own. */
export function textOf(input: TraceInput, batch: number, index: number): string | undefined { return input.segments?.[batch]?.[index] === 1 ? input.pair : input.text; }

export interface Surroundings { readonly before: string; readonly here: string; readonly after: string }

/**
 * The text around tokens [index, to): from the prompt's own characters where the trace has spans (one sample with text),
 * otherwise from the neighbouring tokens. At most `room` characters on each side, `…` where text was cut.
 */
export function around(input: TraceInput, batch: number, index: number, room = 28, to = index + 1): Surroundings {
  const text = textOf(input, batch, index), spans = text !== undefined && input.ids.length === 1 ? input.spans[batch] : undefined, first = spans?.[index], last = spans?.[to - 1];
  if (first && last && text !== undefined) {
    const end = Math.max(first[1], last[1]);
    return {
      before: tail(text.slice(Math.max(0, first[0] - room - 1), first[0]), room),
      here: text.slice(first[0], end),
      after: head(text.slice(end, end + room + 1), room),
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
