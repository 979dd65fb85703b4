/** Cuts text at the tokens that a tokenizer adds to its vocabulary, leftmost and longest first. */
import { charIndex, part, spanOf, textOf, type Aligned, type Span } from './aligned-text.ts';

export interface AddedToken {
  readonly content: string;
  /** What it looks like in the text; its content when not given. */
  readonly match?: string;
  /** The blanks before (after) it belong to it. */
  readonly lstrip: boolean; readonly rstrip: boolean;
  /** Only between characters that are part of no word. */
  readonly singleWord: boolean;
  readonly normalized: boolean;
}
export type Section = { readonly token: string; readonly span: Span | null; /** As it stands in the text, with its blanks. */ readonly surface: string; readonly text?: undefined } | { readonly token?: undefined; readonly text: Aligned };

export function splitAdded(of: Aligned, tokens: readonly AddedToken[]): Section[] {
  const wanted = tokens.filter(token => (token.match ?? token.content) !== '');
  if (!wanted.length || !of.chars.length) return of.chars.length ? [{ text: of }] : [];
  const text = textOf(of), index = charIndex(of), byMatch = new Map(wanted.map(token => [token.match ?? token.content, token]));
  const pattern = new RegExp([...byMatch.keys()].sort((a, b) => b.length - a.length).map(one => one.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'gu');
  const sections: Section[] = [];
  let done = 0;
  for (const match of text.matchAll(pattern)) {
    const token = byMatch.get(match[0])!;
    let from = index[match.index], to = index[match.index + match[0].length];
    if (from < done || (token.singleWord && (isWord(of.chars[from - 1]) || isWord(of.chars[to])))) continue;
    while (token.lstrip && from > done && /^\s$/u.test(of.chars[from - 1])) from--;
    while (token.rstrip && to < of.chars.length && /^\s$/u.test(of.chars[to])) to++;
    if (from > done) sections.push({ text: part(of, done, from) });
    sections.push({ token: token.content, span: spanOf(of, from, to) ?? null, surface: of.chars.slice(from, to).join('') });
    done = to;
  }
  if (done < of.chars.length) sections.push({ text: part(of, done, of.chars.length) });
  return sections;
}

function isWord(char: string | undefined): boolean { return char !== undefined && /^[\p{L}\p{N}_]$/u.test(char); }
