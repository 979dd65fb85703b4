/** Parses Python into a syntax tree with the names that tree-sitter's grammar gives to nodes. Written for this room: half-typed files give what can be read of them, blocks end where the indentation says so. */
import { createExpressions, maxDepth, noChildren, toPattern, type Node, type Reader } from './expressions.ts';
import type { Syntax } from './syntax.ts';
import { keyword, token, tokenize } from './tokens.ts';

const colon = 58, equals = 61, comma = 44, semicolon = 59, round = 40, closeRound = 41, star = 42, slash = 47, dot = 46, at = 64, square = 91;

/** The `module` node of a text. Never throws: what is no Python becomes no node. */
export function parseSyntax(text: string): Syntax {
  const tokens = tokenize(text), { kinds, starts, ends, indents, count } = tokens, reader: Reader = { tokens, at: 0 };
  const { expression, list, targets, args, type } = createExpressions(reader);
  const kind = (): number => kinds[reader.at];
  const word = (i = reader.at): string => text.slice(starts[i], ends[i]);
  const leaf = (name: string): Node => { const i = reader.at++; return { type: name, start: starts[i], end: ends[i], children: noChildren }; };
  const span = (name: string, start: number, children: Node[]): Node => {
    // What ended with a line ends with the line's last token.
    let last = reader.at - 1;
    while (last > 0 && kinds[last] === token.newline) last--;
    return { type: name, start, end: Math.max(start, ends[last]), children };
  };
  const skip = (expected: number): boolean => { if (kinds[reader.at] !== expected) return false; reader.at++; return true; };
  const push = (into: Node[], node: Node | undefined): boolean => { if (!node) return false; into.push(node); return true; };
  /** To the end of the line, past what could not be read. */
  const lineEnd = (): void => { while (kind() !== token.newline && kind() !== token.end) reader.at++; };

  /** Lines at `indent`, or deeper than what is around them; `reader` is at the newline before the first. */
  const lines = (into: Node[], around: number, depth: number): void => {
    while (kind() === token.newline && reader.at < count - 2 && (indents[reader.at] > around || around < 0)) {
      reader.at++;
      statement(into, indents[reader.at - 1], depth);
    }
  };
  /** After a colon: statements on the same line, or the lines that are indented more than `indent`. */
  const block = (indent: number, depth: number): Node => {
    const start = starts[reader.at], children: Node[] = [];
    if (kind() !== token.newline) { simple(children); return span('block', start, children); }
    const first = starts[reader.at + 1] ?? start;
    if (depth > maxDepth) { while (kind() === token.newline && reader.at < count - 2 && indents[reader.at] > indent) { reader.at++; lineEnd(); } } else lines(children, indent, depth + 1);
    return span('block', children.length ? first : start, children);
  };
  /** `: …`; undefined where the colon is missing. */
  const body = (into: Node[], indent: number, depth: number): void => {
    while (kind() !== colon && kind() !== token.newline && kind() !== token.end) reader.at++;
    if (skip(colon)) into.push(block(indent, depth));
  };

  const statement = (into: Node[], indent: number, depth: number): void => {
    const start = starts[reader.at], k = kind(), children: Node[] = [];
    switch (k) {
      case keyword.class: into.push(definition(indent, depth)); return;
      case keyword.def: into.push(definition(indent, depth)); return;
      case keyword.async: while (kind() === keyword.async) reader.at++; if (kind() === keyword.def) { const fn = definition(indent, depth); into.push({ ...fn, start }); } else statement(into, indent, depth); return;
      case at: {
        while (kind() === at) {
          const from = starts[reader.at++], inner: Node[] = [];
          push(inner, expression());
          lineEnd();
          children.push(span('decorator', from, inner));
          if (kind() === token.newline && reader.at < count - 2) reader.at++; else break;
        }
        statement(children, indent, depth);
        into.push(span('decorated_definition', start, children));
        return;
      }
      case keyword.if: compound(into, 'if_statement', indent, depth, [[keyword.elif, 'elif_clause'], [keyword.else, 'else_clause']]); return;
      case keyword.while: compound(into, 'while_statement', indent, depth, [[keyword.else, 'else_clause']]); return;
      case keyword.try: compound(into, 'try_statement', indent, depth, [[keyword.except, 'except_clause'], [keyword.else, 'else_clause'], [keyword.finally, 'finally_clause']]); return;
      case keyword.for: {
        reader.at++;
        push(children, targets());
        if (skip(keyword.in)) push(children, list());
        body(children, indent, depth);
        clauses(children, indent, depth, [[keyword.else, 'else_clause']]);
        into.push(span('for_statement', start, children));
        return;
      }
      case keyword.with: {
        reader.at++;
        const from = starts[reader.at], items: Node[] = [], wrapped = kind() === round && closesBeforeColon();
        if (wrapped) reader.at++;
        while (push(items, expression())) { if (skipAs()) push(items, targets()); if (!skip(comma)) break; }
        if (wrapped) skip(closeRound);
        children.push(span('with_clause', from, items));
        body(children, indent, depth);
        into.push(span('with_statement', start, children));
        return;
      }
      // A clause whose statement could not be read: its block still can.
      case keyword.elif: case keyword.else: case keyword.except: case keyword.finally: reader.at++; body(children, indent, depth); into.push(span('ERROR', start, children)); return;
      case token.name:
        if (isMatch()) { into.push(match(start, indent, depth)); return; }
    }
    simple(into);
    // `x y z:` with a block below it: what is below is read all the same.
    if (kind() === token.newline && reader.at < count - 2 && indents[reader.at] > indent) { const inner: Node[] = []; lines(inner, indent, depth + 1); into.push(...inner); }
  };
  const skipAs = (): boolean => skip(keyword.as);
  /** `with (a as b, c as d):` against `with (a).b:`. */
  const closesBeforeColon = (): boolean => {
    let level = 0;
    for (let i = reader.at; kinds[i] !== token.newline && kinds[i] !== token.end; i++) {
      if (kinds[i] === round) level++; else if (kinds[i] === closeRound && --level === 0) return kinds[i + 1] === colon;
    }
    return false;
  };
  const compound = (into: Node[], name: string, indent: number, depth: number, more: readonly (readonly [number, string])[]): void => {
    const start = starts[reader.at++], children: Node[] = [];
    if (name !== 'try_statement') push(children, expression());
    body(children, indent, depth);
    clauses(children, indent, depth, more);
    into.push(span(name, start, children));
  };
  /** `elif`, `else`, `except`, `finally` on lines of the same indentation. */
  const clauses = (into: Node[], indent: number, depth: number, kindsOfClause: readonly (readonly [number, string])[]): void => {
    while (kind() === token.newline && indents[reader.at] === indent) {
      const found = kindsOfClause.find(([k]) => k === kinds[reader.at + 1]);
      if (!found) return;
      reader.at++;
      const start = starts[reader.at++], children: Node[] = [];
      if (found[0] === keyword.elif) push(children, expression());
      else if (found[0] === keyword.except) { skip(star); if (push(children, list()) && skipAs()) push(children, targets()); }
      body(children, indent, depth);
      into.push(span(found[1], start, children));
    }
  };
  const definition = (indent: number, depth: number): Node => {
    const start = starts[reader.at], isClass = kinds[reader.at++] === keyword.class, children: Node[] = [];
    if (kind() === token.name) children.push(leaf('identifier'));
    if (kind() === square) { const from = starts[reader.at]; reader.at++; for (let level = 1; level > 0 && kind() !== token.newline && kind() !== token.end; reader.at++) level += kind() === square ? 1 : kind() === 93 ? -1 : 0; children.push(span('type_parameter', from, [])); }
    if (kind() === round) children.push(isClass ? args() : parameters());
    if (!isClass && skip(token.arrow)) children.push(type());
    body(children, indent, depth);
    return span(isClass ? 'class_definition' : 'function_definition', start, children);
  };
  const parameters = (): Node => {
    const start = starts[reader.at++], children: Node[] = [];
    while (kind() !== closeRound && kind() !== token.newline && kind() !== token.end) {
      const from = starts[reader.at], k = kind();
      if (k === slash) { children.push(leaf('positional_separator')); skip(comma); continue; }
      if (k === star || k === token.power) {
        reader.at++;
        if (kind() === comma || kind() === closeRound) { children.push(span('keyword_separator', from, [])); skip(comma); continue; }
      } else if (k !== token.name) { reader.at++; continue; }
      let name = leaf('identifier');
      if (k !== token.name) name = span(k === star ? 'list_splat_pattern' : 'dictionary_splat_pattern', from, [name]);
      const parts = [name], typed = skip(colon);
      if (typed) parts.push(type());
      const given = skip(equals) && push(parts, expression());
      children.push(given ? span(typed ? 'typed_default_parameter' : 'default_parameter', from, parts) : typed ? span('typed_parameter', from, parts) : name);
      if (!skip(comma)) while (kind() !== comma && kind() !== closeRound && kind() !== token.newline && kind() !== token.end) reader.at++;
      skip(comma);
    }
    skip(closeRound);
    return span('parameters', start, children);
  };
  /** `match x:` with a line below that starts with `case`. */
  const isMatch = (): boolean => {
    if (word() !== 'match') return false;
    let i = reader.at + 1;
    if (kinds[i] === equals || kinds[i] === dot || kinds[i] === token.newline || kinds[i] === token.augmented || kinds[i] === comma) return false;
    while (kinds[i] !== token.newline && kinds[i] !== token.end) i++;
    return kinds[i - 1] === colon && kinds[i] === token.newline && kinds[i + 1] === token.name && word(i + 1) === 'case';
  };
  const match = (start: number, indent: number, depth: number): Node => {
    reader.at++;
    const children: Node[] = [];
    push(children, list());
    if (skip(colon)) while (kind() === token.newline && indents[reader.at] > indent && kinds[reader.at + 1] === token.name && word(reader.at + 1) === 'case') {
      const own = indents[reader.at++], from = starts[reader.at++], inner: Node[] = [];
      // Patterns build nothing and call nothing.
      for (let level = 0; kind() !== token.newline && kind() !== token.end && (level > 0 || kind() !== colon); reader.at++) level += [round, square, 123].includes(kind()) ? 1 : [closeRound, 93, 125].includes(kind()) ? -1 : 0;
      body(inner, own, depth);
      children.push(span('case_clause', from, inner));
    }
    return span('match_statement', start, children);
  };

  /** Statements of one line, with semicolons. */
  const simple = (into: Node[]): void => {
    do {
      if (kind() === token.newline || kind() === token.end) return;
      const one = small();
      if (one) into.push(one);
      while (kind() !== semicolon && kind() !== token.newline && kind() !== token.end) reader.at++;
    } while (skip(semicolon));
  };
  const small = (): Node | undefined => {
    const start = starts[reader.at], children: Node[] = [];
    switch (kind()) {
      case keyword.return: reader.at++; push(children, list()); return span('return_statement', start, children);
      case keyword.import: reader.at++; do { push(children, imported()); } while (skip(comma)); return span('import_statement', start, children);
      case keyword.from: return importFrom();
      case keyword.raise: reader.at++; if (push(children, list()) && skip(keyword.from)) push(children, expression()); return span('raise_statement', start, children);
      case keyword.assert: reader.at++; do { if (!push(children, expression())) break; } while (skip(comma)); return span('assert_statement', start, children);
      case keyword.pass: return leaf('pass_statement');
      case keyword.break: return leaf('break_statement');
      case keyword.continue: return leaf('continue_statement');
      case keyword.global: case keyword.nonlocal: case keyword.del: lineEnd(); return span('global_statement', start, []);
    }
    const inner = assignment(0);
    return inner && { type: 'expression_statement', start, end: inner.end, children: inner.type === 'expression_list' ? inner.children : [inner] };
  };
  const assignment = (depth: number): Node | undefined => {
    const start = starts[reader.at], left = list();
    if (!left) return undefined;
    const children = [left];
    if (kind() === token.augmented) { reader.at++; push(children, list()); children[0] = toPattern(left); return span('augmented_assignment', start, children); }
    if (skip(colon)) children.push(type());
    else if (kind() !== equals) return left;
    children[0] = toPattern(left);
    if (skip(equals) && depth < maxDepth) push(children, assignment(depth + 1));
    return span('assignment', start, children);
  };
  const dotted = (): Node | undefined => {
    const start = starts[reader.at], children: Node[] = [];
    if (kind() !== token.name) return undefined;
    do { if (kind() === token.name) children.push(leaf('identifier')); } while (skip(dot));
    return span('dotted_name', start, children);
  };
  const imported = (): Node | undefined => {
    const start = starts[reader.at], name = dotted();
    if (!name || !skip(keyword.as) || kind() !== token.name) return name;
    return span('aliased_import', start, [name, leaf('identifier')]);
  };
  const importFrom = (): Node => {
    const start = starts[reader.at++], from = starts[reader.at], children: Node[] = [];
    let dots = false;
    while (kind() === dot || kind() === token.ellipsis) { reader.at++; dots = true; }
    const module = dotted();
    if (dots) children.push(span('relative_import', from, module ? [module] : [])); else push(children, module);
    if (!skip(keyword.import)) return span('import_from_statement', start, children);
    if (kind() === star) children.push(leaf('wildcard_import'));
    else {
      skip(round);
      do { push(children, imported()); } while (skip(comma));
      skip(closeRound);
    }
    return span(module && text.slice(module.start, module.end) === '__future__' && !dots ? 'future_import_statement' : 'import_from_statement', start, children);
  };

  const children: Node[] = [];
  lines(children, -1, 0);
  return { type: 'module', start: 0, end: text.length, children };
}
