/** Cuts Python text into tokens: names, keywords, numbers, strings, operators, and the ends of logical lines with the indentation of the next. */

/** Kinds of tokens. Operators of one character are their character code; of several, and keywords, have numbers of their own. */
export const token = {
  end: 0, newline: 1, name: 2, integer: 3, float: 4, string: 5,
  power: 256, floorDivide: 257, arrow: 258, walrus: 259, compare: 260, shift: 261, augmented: 262, ellipsis: 263,
} as const;

/** Token kind of each keyword. */
export const keyword = {
  and: 300, as: 301, assert: 302, async: 303, await: 304, break: 305, class: 306, continue: 307, def: 308, del: 309,
  elif: 310, else: 311, except: 312, finally: 313, for: 314, from: 315, global: 316, if: 317, import: 318, in: 319, is: 320,
  lambda: 321, nonlocal: 322, not: 323, or: 324, pass: 325, raise: 326, return: 327, try: 328, while: 329, with: 330, yield: 331, True: 332, False: 333, None: 334,
} as const;
const keywords = new Map<string, number>(Object.entries(keyword));
/** These never stand inside of brackets: one at the start of a line ends brackets that somebody is still typing in. */
const outside = new Set<number>([keyword.assert, keyword.break, keyword.class, keyword.continue, keyword.def, keyword.del, keyword.except, keyword.finally, keyword.global, keyword.import, keyword.nonlocal, keyword.pass, keyword.raise, keyword.return, keyword.try, keyword.while, keyword.with]);

/** `kinds[i]` from `starts[i]` to `ends[i]` (UTF-16 code units, half-open). A newline's `indents` is that of the line after it, in columns; tabs go to the next multiple of eight. */
export interface Tokens { readonly count: number; readonly kinds: Uint16Array; readonly starts: Uint32Array; readonly ends: Uint32Array; readonly indents: Uint32Array }

const isNameStart = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c > 127;
const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const opening = (c: number): boolean => c === 40 || c === 91 || c === 123;
const closing = (c: number): boolean => c === 41 || c === 93 || c === 125;

/** The first token is a newline with the indentation of the first line; the last is the end. Nothing is refused: characters that are no Python are passed over. */
export function tokenize(text: string): Tokens {
  let capacity = Math.max(64, text.length >> 1);
  let kinds = new Uint16Array(capacity), starts = new Uint32Array(capacity), ends = new Uint32Array(capacity), indents = new Uint32Array(capacity);
  let count = 0, at = 0, depth = 0;
  const add = (kind: number, start: number, end: number, indent = 0): void => {
    if (count === capacity) {
      capacity *= 2;
      const grow = <A extends Uint16Array | Uint32Array>(from: A, to: A): A => { to.set(from); return to; };
      kinds = grow(kinds, new Uint16Array(capacity)); starts = grow(starts, new Uint32Array(capacity)); ends = grow(ends, new Uint32Array(capacity)); indents = grow(indents, new Uint32Array(capacity));
    }
    kinds[count] = kind; starts[count] = start; ends[count] = end; indents[count] = indent;
    count++;
  };
  /** Past blank lines and comments to the first character of the next line; its column. */
  const lineStart = (): number => {
    for (;;) {
      let column = 0;
      for (; at < text.length; at++) {
        const c = text.charCodeAt(at);
        if (c === 32) column++; else if (c === 9) column = (column | 7) + 1; else if (c === 12) column = 0; else break;
      }
      const c = text.charCodeAt(at);
      if (c === 35) { const end = text.indexOf('\n', at); at = end < 0 ? text.length : end; }
      if (text.charCodeAt(at) === 13) at++;
      if (text.charCodeAt(at) !== 10) return column;
      at++;
    }
  };
  let first = true, column = lineStart();
  add(token.newline, at, at, column);
  while (at < text.length) {
    const start = at, c = text.charCodeAt(at);
    if (c === 32 || c === 9 || c === 13 || c === 12) { at++; continue; }
    if (c === 10) {
      at++;
      first = true;
      column = lineStart();
      if (depth === 0) add(token.newline, start, start, column);
      continue;
    }
    if (c === 35) { const end = text.indexOf('\n', at); at = end < 0 ? text.length : end; continue; }
    if (c === 92) { at += text.charCodeAt(at + 1) === 13 ? 3 : 2; continue; }
    if (isNameStart(c)) {
      do at++; while (at < text.length && (isNameStart(text.charCodeAt(at)) || isDigit(text.charCodeAt(at))));
      const quote = text.charCodeAt(at);
      if ((quote === 34 || quote === 39) && at - start <= 2 && /^[rbfuRBFU]+$/.test(text.slice(start, at))) { at = stringEnd(text, at, /[fF]/.test(text.slice(start, at))); add(token.string, start, at); first = false; continue; }
      const kind = at - start <= 8 ? keywords.get(text.slice(start, at)) ?? token.name : token.name;
      if (depth > 0 && first && outside.has(kind)) { depth = 0; add(token.newline, start, start, column); }
      add(kind, start, at);
    } else if (isDigit(c) || (c === 46 && isDigit(text.charCodeAt(at + 1)))) {
      at = numberEnd(text, at);
      add(/^[^xXbBoO]*[.eEjJ]/.test(text.slice(start, at)) ? token.float : token.integer, start, at);
    } else if (c === 34 || c === 39) {
      at = stringEnd(text, at, false);
      add(token.string, start, at);
    } else {
      if (opening(c)) depth++; else if (closing(c)) depth = Math.max(0, depth - 1);
      const [kind, length] = operator(text, at, c);
      at += length;
      add(kind, start, at);
    }
    first = false;
  }
  add(token.newline, text.length, text.length);
  add(token.end, text.length, text.length);
  return { count, kinds, starts, ends, indents };
}

function operator(text: string, at: number, c: number): readonly [kind: number, length: number] {
  const next = text.charCodeAt(at + 1), third = text.charCodeAt(at + 2);
  if (c === 46) return next === 46 && third === 46 ? [token.ellipsis, 3] : [c, 1];
  if (c === 42 && next === 42) return third === 61 ? [token.augmented, 3] : [token.power, 2];
  if (c === 47 && next === 47) return third === 61 ? [token.augmented, 3] : [token.floorDivide, 2];
  if ((c === 60 || c === 62) && next === c) return third === 61 ? [token.augmented, 3] : [token.shift, 2];
  if (c === 45 && next === 62) return [token.arrow, 2];
  if (c === 58 && next === 61) return [token.walrus, 2];
  if (next === 61) {
    if (c === 61 || c === 33 || c === 60 || c === 62) return [token.compare, 2];
    if (c === 43 || c === 45 || c === 42 || c === 47 || c === 37 || c === 64 || c === 38 || c === 124 || c === 94) return [token.augmented, 2];
  }
  return c === 60 || c === 62 ? [token.compare, 1] : [c, 1];
}

/** `at` is the first quote. A string of one line that is not closed ends with its line; a long one with the text. */
function stringEnd(text: string, at: number, formatted: boolean): number {
  const quote = text.charCodeAt(at), long = text.charCodeAt(at + 1) === quote && text.charCodeAt(at + 2) === quote;
  let i = at + (long ? 3 : 1);
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 92) i++;
    else if (c === quote) { if (!long) return i + 1; if (text.charCodeAt(i + 1) === quote && text.charCodeAt(i + 2) === quote) return i + 3; }
    else if (c === 10 && !long) return i;
    else if (formatted && c === 123) {
      if (text.charCodeAt(i + 1) === 123) i++;
      else i = fieldEnd(text, i, long, quote);
    }
  }
  return text.length;
}

/** Fields of f-strings longer than this are no fields: so that a text of opening braces costs what others cost. */
const maxField = 500;

/** `{…}` of an f-string: since Python 3.12 strings in it may use the same quote. The place of the `}`; of the `{` where it is not closed before the string can end. */
function fieldEnd(text: string, at: number, long: boolean, quote: number): number {
  const limit = Math.min(text.length, at + maxField);
  let depth = 0;
  for (let i = at; i < limit; i++) {
    const c = text.charCodeAt(i);
    if (opening(c)) depth++;
    else if (closing(c)) { if (--depth === 0) return i; }
    else if (c === 10 && !long) return at;
    else if (c === 34 || c === 39) {
      let end = i + 1;
      while (end < limit && text.charCodeAt(end) !== c && text.charCodeAt(end) !== 10) end += text.charCodeAt(end) === 92 ? 2 : 1;
      if (end < limit && text.charCodeAt(end) === c) i = end;
      // Not closed: a quote that ends the string itself, before the field was closed. Then the field never was one.
      else if (c === quote) return at;
    }
  }
  return at;
}

function numberEnd(text: string, at: number): number {
  let i = at;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (isDigit(c) || isNameStart(c) || c === 46) continue;
    if ((c === 43 || c === 45) && /[eE]/.test(text[i - 1]) && !/^0[xX]/.test(text.slice(at, at + 2))) continue;
    break;
  }
  return i;
}
