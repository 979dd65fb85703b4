/** The syntax tree as plain objects (named nodes only), and small questions asked of it everywhere. */
import type { TextPosition, TextRange } from './python-module.ts';

/** `start`, `end`: half-open range of UTF-16 code units of the text. Types are those of tree-sitter's Python grammar. */
export interface Syntax { readonly type: string; readonly start: number; readonly end: number; readonly children: readonly Syntax[] }

/** A text with its line starts. */
export interface Source {
  readonly text: string;
  of(node: Syntax): string;
  range(node: { readonly start: number; readonly end: number }): TextRange;
}

export function createSource(text: string): Source {
  const lines = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.push(at + 1);
  const position = (index: number): TextPosition => {
    let low = 0;
    let high = lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (lines[middle] <= index) low = middle; else high = middle - 1;
    }
    return { line: low, column: index - lines[low] };
  };
  return { text, of: node => text.slice(node.start, node.end), range: node => ({ start: position(node.start), end: position(node.end) }) };
}

export function child(node: Syntax, type: string): Syntax | undefined {
  return node.children.find(c => c.type === type);
}

/** `a.b.c` as written when it is a plain dotted name; undefined otherwise. */
export function dottedName(source: Source, node: Syntax): string | undefined {
  if (node.type === 'identifier') return source.of(node);
  if (node.type === 'dotted_name') return node.children.map(c => source.of(c)).join('.');
  if (node.type !== 'attribute' || node.children.length !== 2) return undefined;
  const left = dottedName(source, node.children[0]);
  return left === undefined ? undefined : `${left}.${source.of(node.children[1])}`;
}

/** The text of a string literal without its quotes; undefined when it is not a plain literal. */
export function stringLiteral(source: Source, node: Syntax): string | undefined {
  if (node.type !== 'string') return undefined;
  const match = /^[rRuU]?("""|'''|"|')([^\\{}]*)\1$/s.exec(source.of(node));
  return match?.[2];
}

/** As `stringLiteral`; of an f-string with `*` for its fields: `layer{i}` is `layer*`. Undefined when nothing but fields is left. */
export function namePattern(source: Source, node: Syntax): string | undefined {
  const plain = stringLiteral(source, node);
  if (plain !== undefined || node.type !== 'string') return plain;
  const match = /^[fF]("|')([^\\\n]{1,120})\1$/.exec(source.of(node));
  const pattern = match?.[2].replace(/\{[^{}]*\}/g, '*');
  return pattern !== undefined && /^[\w*]+$/.test(pattern) && /\w/.test(pattern) ? pattern : undefined;
}

/** `layer3` fits `layer*`, and itself. */
export function fits(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  return pattern.length > 1 && pattern.includes('*') && new RegExp(`^${pattern.replace(/\*+/g, '\\w+')}$`).test(name);
}

/** Calls `visit` for the node and everything under it, in the order of the text; `false` leaves the subtree out. */
export function walk(node: Syntax, visit: (node: Syntax) => boolean | void): void {
  if (visit(node) === false) return;
  for (const c of node.children) walk(c, visit);
}
