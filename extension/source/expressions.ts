/** Parses expressions of Python into syntax nodes; what cannot be read ends the expression, and the statement goes on after it. */
import type { Syntax } from './syntax.ts';
import { keyword, token, type Tokens } from './tokens.ts';

/** A place in the tokens, shared by those who parse. */
export interface Reader {
  readonly tokens: Tokens;
  at: number;
}
export interface Node extends Syntax { type: string; start: number; end: number; children: Node[] }

/** Deeper nesting and longer chains are left out: whoever walks the tree does so by recursion. */
export const maxDepth = 100;
const maxChain = 100;

const open = { round: 40, square: 91, curly: 123 } as const, close = { round: 41, square: 93, curly: 125 } as const;
const comma = 44, dot = 46, colon = 58, equals = 61, star = 42, at = 64, minus = 45, plus = 43, tilde = 126;
/** How tightly operators of two sides bind: higher first. */
const binding = new Map<number, number>([[124, 1], [94, 2], [38, 3], [token.shift, 4], [plus, 5], [minus, 5], [star, 6], [47, 6], [token.floorDivide, 6], [37, 6], [at, 6]]);

/** Of all leaves, which are most of a tree; nobody adds to it. */
export const noChildren: Node[] = [];

export interface Expressions {
  /** One expression, with `lambda`, `if … else`, `:=`. Undefined where none starts. */
  expression(depth?: number): Node | undefined;
  /** Several with commas: `expression_list`, or the one. Stars and `yield` are allowed. */
  list(depth?: number): Node | undefined;
  /** `for` targets: identifiers, patterns, never the `in` after them. */
  targets(): Node | undefined;
  /** Arguments in round brackets, at the bracket. */
  args(depth?: number): Node;
  /** Passes over a type, to `,`, `=`, `:`, a closing bracket or the end of the line. */
  type(): Node;
}

export function createExpressions(reader: Reader): Expressions {
  const { kinds, starts, ends } = reader.tokens;
  const kind = (): number => kinds[reader.at];
  const leaf = (type: string): Node => { const i = reader.at++; return { type, start: starts[i], end: ends[i], children: noChildren }; };
  const span = (type: string, start: number, children: Node[]): Node => ({ type, start, end: reader.at > 0 ? ends[reader.at - 1] : start, children });
  const skip = (expected: number): boolean => { if (kinds[reader.at] !== expected) return false; reader.at++; return true; };
  const push = (list: Node[], node: Node | undefined): boolean => { if (!node) return false; list.push(node); return true; };

  /** From an opening bracket past the one that closes it, without looking inside. */
  const past = (type: string): Node => {
    const start = starts[reader.at];
    for (let level = 0; kind() !== token.end && kind() !== token.newline;) {
      const k = kinds[reader.at++];
      if (k === open.round || k === open.square || k === open.curly) level++;
      else if ((k === close.round || k === close.square || k === close.curly) && --level <= 0) break;
    }
    return span(type, start, []);
  };
  /** To a closing bracket and past it, whatever stands before it. */
  const until = (closing: number): void => {
    while (kind() !== closing && kind() !== token.end && kind() !== token.newline) {
      const k = kind();
      if (k === open.round || k === open.square || k === open.curly) past(''); else if (k === close.round || k === close.square || k === close.curly) return; else reader.at++;
    }
    skip(closing);
  };

  const expression = (depth = 0): Node | undefined => {
    const start = starts[reader.at];
    if (depth > maxDepth) return undefined;
    if (kind() === keyword.lambda) {
      reader.at++;
      while (kind() !== colon && kind() !== token.newline && kind() !== token.end) {
        const k = kind();
        if (k === close.round || k === close.square || k === close.curly) break;
        if (k === open.round || k === open.square || k === open.curly) past(''); else reader.at++;
      }
      const children: Node[] = [];
      if (skip(colon)) push(children, expression(depth + 1));
      return span('lambda', start, children);
    }
    const body = disjunction(depth + 1);
    if (!body) return undefined;
    if (kind() === token.walrus && body.type === 'identifier') {
      reader.at++;
      const children = [body];
      push(children, expression(depth + 1));
      return span('named_expression', start, children);
    }
    if (kind() !== keyword.if) return body;
    const before = reader.at++, condition = disjunction(depth + 1);
    // `[x for x in y if c]`: the `if` is the comprehension's.
    if (!condition || !skip(keyword.else)) { reader.at = before; return body; }
    const children = [body, condition];
    push(children, expression(depth + 1));
    return span('conditional_expression', start, children);
  };

  const chain = (type: string, word: number, next: (depth: number) => Node | undefined, depth: number): Node | undefined => {
    const start = starts[reader.at];
    let left = next(depth);
    for (let length = 0; left && kind() === word; length++) {
      reader.at++;
      const children = length < maxChain ? [left] : [];
      push(children, next(depth));
      left = span(type, start, children);
    }
    return left;
  };
  const disjunction = (depth: number): Node | undefined => chain('boolean_operator', keyword.or, conjunction, depth);
  const conjunction = (depth: number): Node | undefined => chain('boolean_operator', keyword.and, negation, depth);
  const negation = (depth: number): Node | undefined => {
    if (kind() !== keyword.not) return comparison(depth);
    const start = starts[reader.at++], children: Node[] = [];
    if (depth < maxDepth) push(children, negation(depth + 1));
    return span('not_operator', start, children);
  };
  const comparison = (depth: number): Node | undefined => {
    const start = starts[reader.at], first = operators(depth, 0);
    if (!first) return undefined;
    let children: Node[] | undefined;
    for (;;) {
      const k = kind(), isNot = k === keyword.not && kinds[reader.at + 1] === keyword.in;
      if (k !== token.compare && k !== keyword.in && k !== keyword.is && !isNot) break;
      reader.at += isNot || (k === keyword.is && kinds[reader.at + 1] === keyword.not) ? 2 : 1;
      children ??= [first];
      if (!push(children, operators(depth, 0))) break;
    }
    return children ? span('comparison_operator', start, children) : first;
  };
  const operators = (depth: number, least: number): Node | undefined => {
    const start = starts[reader.at];
    let left = unary(depth);
    for (let length = 0; left; length++) {
      const strength = binding.get(kind());
      if (strength === undefined || strength <= least) break;
      reader.at++;
      const children = length < maxChain ? [left] : [];
      push(children, operators(depth + 1, strength));
      left = span('binary_operator', start, children);
    }
    return left;
  };
  const unary = (depth: number): Node | undefined => {
    const k = kind(), start = starts[reader.at];
    if (depth > maxDepth) return undefined;
    if (k === minus || k === plus || k === tilde) {
      reader.at++;
      const children: Node[] = [];
      push(children, unary(depth + 1));
      return span('unary_operator', start, children);
    }
    if (k === keyword.await) {
      reader.at++;
      const children: Node[] = [];
      push(children, primary(depth + 1));
      return span('await', start, children);
    }
    const base = primary(depth);
    if (!base || !skip(token.power)) return base;
    const children = [base];
    push(children, unary(depth + 1));
    return span('binary_operator', start, children);
  };

  const primary = (depth: number): Node | undefined => {
    const start = starts[reader.at];
    let node = atom(depth);
    for (let length = 0; node; length++) {
      const k = kind(), children = length < maxChain ? [node] : [];
      if (k === dot && isName(reader.at + 1)) { reader.at++; children.push(leaf('identifier')); node = span('attribute', start, children); }
      else if (k === open.round) { children.push(args(depth + 1)); node = span('call', start, children); }
      else if (k === open.square) { subscripts(children, depth + 1); node = span('subscript', start, children); }
      else break;
    }
    return node;
  };
  /** Keywords count as names after a dot while somebody types. */
  const isName = (i: number): boolean => kinds[i] === token.name;

  const atom = (depth: number): Node | undefined => {
    switch (kind()) {
      case token.name: return leaf('identifier');
      case token.integer: return leaf('integer');
      case token.float: return leaf('float');
      case token.string: {
        const first = leaf('string');
        if (kind() !== token.string) return first;
        const children = [first];
        while (kind() === token.string) children.push(leaf('string'));
        return { type: 'concatenated_string', start: first.start, end: children[children.length - 1].end, children: [] };
      }
      case keyword.True: return leaf('true');
      case keyword.False: return leaf('false');
      case keyword.None: return leaf('none');
      case token.ellipsis: return leaf('ellipsis');
      case open.round: return depth > maxDepth ? past('tuple') : round(depth);
      case open.square: return depth > maxDepth ? past('list') : bracketed('list', close.square, depth);
      case open.curly: return depth > maxDepth ? past('set') : curly(depth);
      default: return undefined;
    }
  };
  /** One element of a list, a tuple, a call: `*a`, `**a`, or an expression. */
  const element = (depth: number): Node | undefined => {
    const k = kind();
    if (k !== star && k !== token.power) return k === keyword.yield ? yielded(depth) : expression(depth);
    const start = starts[reader.at++], children: Node[] = [];
    push(children, disjunction(depth + 1));
    return span(k === star ? 'list_splat' : 'dictionary_splat', start, children);
  };
  const yielded = (depth: number): Node => {
    const start = starts[reader.at++], children: Node[] = [];
    skip(keyword.from);
    push(children, list(depth + 1));
    return span('yield', start, children);
  };
  /** `for a in b if c …` after the first element; true when there was one. */
  const clauses = (children: Node[], depth: number): boolean => {
    let any = false;
    for (;;) {
      const start = starts[reader.at];
      if (kind() === keyword.for || (kind() === keyword.async && kinds[reader.at + 1] === keyword.for)) {
        reader.at += kind() === keyword.async ? 2 : 1;
        const inner: Node[] = [];
        push(inner, targets());
        if (skip(keyword.in)) push(inner, disjunction(depth + 1));
        children.push(span('for_in_clause', start, inner));
      } else if (any && kind() === keyword.if) {
        reader.at++;
        const inner: Node[] = [];
        push(inner, expression(depth + 1));
        children.push(span('if_clause', start, inner));
      } else return any;
      any = true;
    }
  };
  /** Elements with commas up to `closing`; at the opening bracket. `commas`: how many there were. */
  const bracketed = (type: string, closing: number, depth: number): Node => {
    const start = starts[reader.at++], children: Node[] = [];
    let commas = 0;
    while (kind() !== closing) {
      const one = element(depth + 1);
      if (!one) break;
      children.push(one);
      if (children.length === 1 && clauses(children, depth)) { type = type === 'list' ? 'list_comprehension' : 'generator_expression'; break; }
      if (!skip(comma)) break;
      commas++;
    }
    until(closing);
    if (type === 'tuple' && children.length === 1 && commas === 0) type = 'parenthesized_expression';
    return span(type, start, children);
  };
  const round = (depth: number): Node => bracketed('tuple', close.round, depth);
  const curly = (depth: number): Node => {
    const start = starts[reader.at++], children: Node[] = [];
    let type = 'dictionary';
    while (kind() !== close.curly) {
      const from = starts[reader.at], key = element(depth + 1);
      if (!key) break;
      if (skip(colon)) {
        const pair = [key];
        push(pair, expression(depth + 1));
        children.push(span('pair', from, pair));
      } else { children.push(key); if (key.type !== 'dictionary_splat') type = 'set'; }
      if (children.length === 1 && clauses(children, depth)) { type = type === 'set' ? 'set_comprehension' : 'dictionary_comprehension'; break; }
      if (!skip(comma)) break;
    }
    until(close.curly);
    return span(type, start, children);
  };
  const args = (depth = 0): Node => {
    if (depth > maxDepth) return past('argument_list');
    const start = starts[reader.at++], children: Node[] = [];
    while (kind() !== close.round) {
      const from = starts[reader.at];
      if (kind() === token.name && kinds[reader.at + 1] === equals) {
        const inner = [leaf('identifier')];
        reader.at++;
        push(inner, expression(depth + 1));
        children.push(span('keyword_argument', from, inner));
      } else {
        const one = element(depth + 1);
        if (!one) break;
        children.push(one);
        if (children.length === 1 && clauses(children, depth)) { until(close.round); return span('generator_expression', start, children); }
      }
      if (!skip(comma)) break;
    }
    until(close.round);
    return span('argument_list', start, children);
  };
  const subscripts = (children: Node[], depth: number): void => {
    if (depth > maxDepth) { past(''); return; }
    reader.at++;
    while (kind() !== close.square) {
      const from = starts[reader.at], inner: Node[] = [];
      let isSlice = false;
      for (;;) {
        if (skip(colon)) { isSlice = true; continue; }
        if (!push(inner, element(depth + 1))) break;
        if (kind() !== colon) break;
      }
      if (isSlice) children.push(span('slice', from, inner)); else if (inner.length) children.push(inner[0]); else break;
      if (!skip(comma)) break;
    }
    until(close.square);
  };

  const list = (depth = 0): Node | undefined => {
    const start = starts[reader.at], first = element(depth);
    if (!first || kind() !== comma) return first;
    const children = [first];
    while (skip(comma)) if (!push(children, element(depth))) break;
    return span('expression_list', start, children);
  };
  const targets = (): Node | undefined => {
    const start = starts[reader.at], children: Node[] = [];
    for (;;) {
      const splat = kind() === star, from = starts[reader.at];
      if (splat) reader.at++;
      const one = primary(0);
      if (!one) break;
      children.push(splat ? span('list_splat_pattern', from, [one]) : toPattern(one));
      if (!skip(comma)) return children.length === 1 ? children[0] : span('pattern_list', start, children);
    }
    return children.length === 0 ? undefined : span('pattern_list', start, children);
  };
  const type = (): Node => {
    const start = starts[reader.at];
    for (;;) {
      const k = kind();
      if (k === open.round || k === open.square || k === open.curly) { past(''); continue; }
      if (k === comma || k === equals || k === colon || k === close.round || k === close.square || k === close.curly || k === token.newline || k === token.end || k === 59) break;
      reader.at++;
    }
    return span('type', start, []);
  };
  return { expression, list, targets, args, type };
}

/** What stands left of `=` or after `for`: the same nodes under other names. */
export function toPattern(node: Node): Node {
  const type = ({ expression_list: 'pattern_list', tuple: 'tuple_pattern', list: 'list_pattern', list_splat: 'list_splat_pattern' } as Readonly<Record<string, string>>)[node.type];
  if (type === undefined) return node.type === 'parenthesized_expression' && node.children.length === 1 && node.children[0].type === 'identifier' ? node.children[0] : node;
  node.type = type;
  node.children.forEach((child, i) => { node.children[i] = toPattern(child); });
  return node;
}
