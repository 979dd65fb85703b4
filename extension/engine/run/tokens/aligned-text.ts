/**
 * Text that is rewritten step by step while every character remembers which part of the original it stands for. The rules are those of
 * the Rust library `tokenizers` (NormalizedString), so that offsets come out as Python shows them.
 */

/** [start, end) in UTF-16 code units of the original. */
export type Span = readonly [start: number, end: number];

/** Code points, each with its span. */
export interface Aligned { readonly chars: readonly string[]; readonly spans: readonly Span[] }

/** The original itself, from `start` of a larger text on. */
export function aligned(text: string, start = 0): Aligned {
  const chars = [...text], spans: Span[] = [];
  let at = start;
  for (const char of chars) { spans.push([at, at + char.length]); at += char.length; }
  return { chars, spans };
}

export function textOf(of: Aligned): string { return of.chars.join(''); }

/** Characters [from, to) as they are. */
export function part(of: Aligned, from: number, to: number): Aligned { return { chars: of.chars.slice(from, to), spans: of.spans.slice(from, to) }; }

/** Every character becomes what `map` says; characters that are added take the span of the one before them. */
export function mapChars(of: Aligned, map: (char: string) => string): Aligned {
  const chars: string[] = [], spans: Span[] = [];
  of.chars.forEach((char, i) => {
    const result = map(char);
    if (result === char) { chars.push(char); spans.push(of.spans[i]); return; }
    for (const made of result) { chars.push(made); spans.push(of.spans[i]); }
  });
  return { chars, spans };
}

/** Matches of `pattern` (global) become `content`, whose characters take the span of the last character that they replace. */
export function replaceMatches(of: Aligned, pattern: RegExp, content: string): Aligned {
  const text = textOf(of), index = charIndex(of), chars: string[] = [], spans: Span[] = [];
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    const from = index[match.index], to = index[match.index + match[0].length];
    chars.push(...of.chars.slice(done, from));
    spans.push(...of.spans.slice(done, from));
    for (const char of content) { chars.push(char); spans.push(of.spans[to - 1]); }
    done = to;
  }
  chars.push(...of.chars.slice(done));
  spans.push(...of.spans.slice(done));
  return { chars, spans };
}

/** `content` in front; its characters stand for the first character. */
export function prepend(of: Aligned, content: string): Aligned {
  if (!of.chars.length) return of;
  return { chars: [...content, ...of.chars], spans: [...[...content].map(() => of.spans[0]), ...of.spans] };
}

/** Without white space at the ends. */
export function strip(of: Aligned, left: boolean, right: boolean): Aligned {
  let from = 0, to = of.chars.length;
  while (left && from < to && /\s/u.test(of.chars[from])) from++;
  while (right && to > from && /\s/u.test(of.chars[to - 1])) to--;
  return part(of, from, to);
}

/** A Unicode normalisation form. A composed character stands for the first of those that it was made of, as in Rust. */
export function unicodeForm(of: Aligned, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Aligned {
  const chars: string[] = [], spans: Span[] = [];
  for (let from = 0; from < of.chars.length;) {
    let to = from + 1;
    while (to < of.chars.length && joinsBefore(of.chars[to])) to++;
    const before = of.chars.slice(from, to).join(''), after = [...before.normalize(form)];
    if (after.join('') === before) { chars.push(...of.chars.slice(from, to)); spans.push(...of.spans.slice(from, to)); }
    else {
      // Decompose each character, keeping its span; then what composes takes the first span and what remains keeps its own.
      const pieces = of.chars.slice(from, to).flatMap((char, i) => [...char.normalize(form === 'NFC' ? 'NFD' : form === 'NFKC' ? 'NFKD' : form)].map(() => of.spans[from + i]));
      const lost = pieces.length - after.length;
      after.forEach((char, i) => { chars.push(char); spans.push(pieces[i === 0 || lost <= 0 ? Math.min(i, pieces.length - 1) : i + lost]); });
    }
    from = to;
  }
  return { chars, spans };
}

/** Combining marks and the Hangul letters that join the one before. */
function joinsBefore(char: string): boolean { return /^[\p{M}\u1160-\u11ff\uff9e\uff9f]$/u.test(char); }

/** Code-unit offset → index of the character there. */
export function charIndex(of: Aligned): Int32Array {
  let units = 0;
  for (const char of of.chars) units += char.length;
  const index = new Int32Array(units + 1);
  let at = 0;
  of.chars.forEach((char, i) => { index.fill(i, at, at + char.length); at += char.length; });
  index[units] = of.chars.length;
  return index;
}

/** The span of characters [from, to), as Rust gives it: start of the first, end of the last. */
export function spanOf(of: Aligned, from: number, to: number): Span | undefined {
  return from < to ? [of.spans[from][0], Math.max(of.spans[from][0], of.spans[to - 1][1])] : undefined;
}
