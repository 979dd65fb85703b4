/** Turns expressions that build modules into `Value`s: calls, lists, tables, names; local variables are replaced by what they were given. */
import type { Value } from './python-module.ts';
import { child, dottedName, stringLiteral, type Source, type Syntax } from './syntax.ts';

export type Environment = Map<string, Value>;
export const unknown: Value = { kind: 'unknown' };
const maxDepth = 16;
const maxItems = 512;
const maxOptions = 32;

/** What an expression builds; `unknown` where that cannot be said without running it. */
export function valueOf(source: Source, node: Syntax | undefined, env: Environment, depth = 0): Value {
  if (!node || depth > maxDepth) return unknown;
  const inner = (n: Syntax | undefined, e: Environment = env): Value => valueOf(source, n, e, depth + 1);
  switch (node.type) {
    case 'identifier': return env.get(source.of(node)) ?? { kind: 'name', name: source.of(node) };
    case 'attribute': {
      const name = dottedName(source, node);
      if (name === undefined) return unknown;
      const [first, ...rest] = name.split('.');
      if (first === 'self') return rest.length === 1 ? { kind: 'self', name: rest[0] } : unknown;
      return env.has(first) ? unknown : { kind: 'name', name };
    }
    case 'parenthesized_expression': case 'await': case 'expression_list':
      return node.children.length === 1 ? inner(node.children[0]) : listOf(source, node, env, depth);
    case 'named_expression': return inner(node.children[1]);
    case 'conditional_expression': return either([inner(node.children[0]), inner(node.children[2])]);
    case 'boolean_operator': return either(node.children.map(c => inner(c)));
    case 'list': case 'tuple': case 'set': return listOf(source, node, env, depth);
    case 'list_comprehension': case 'generator_expression': case 'set_comprehension':
      return { kind: 'list', items: [inner(node.children[0], comprehensionEnvironment(source, node, env, depth))], repeated: true };
    case 'dictionary': case 'dictionary_comprehension': {
      const scope = node.type === 'dictionary' ? env : comprehensionEnvironment(source, node, env, depth);
      const pairs = node.children.filter(c => c.type === 'pair').slice(0, maxItems);
      return { kind: 'dict', entries: pairs.map(p => [stringLiteral(source, p.children[0]), inner(p.children[1], scope)] as const) };
    }
    case 'binary_operator': return sum(inner(node.children[0]), inner(node.children[1]));
    case 'string': {
      const text = stringLiteral(source, node);
      return text === undefined ? unknown : { kind: 'text', text };
    }
    case 'subscript': {
      const [of, keyNode] = node.children;
      const key = keyNode && (keyNode.type === 'integer' ? source.of(keyNode) : stringLiteral(source, keyNode));
      if (key !== undefined && /^(globals|locals|vars)\(\)$/.test(source.of(of))) return { kind: 'name', name: key };
      return indexed(inner(of), key, key === undefined ? inner(keyNode) : unknown);
    }
    case 'call': return callOf(source, node, env, depth);
    default: return unknown;
  }
}

/** One of several values; nested choices are flattened. */
export function either(values: readonly Value[]): Value {
  const options: Value[] = [];
  for (const value of values) for (const option of value.kind === 'either' ? value.options : [value]) {
    if (option.kind !== 'unknown' && !options.includes(option) && options.length < maxOptions) options.push(option);
  }
  return options.length === 0 ? unknown : options.length === 1 ? options[0] : { kind: 'either', options };
}

/** A list with one more element; in a loop its elements lose their order. */
export function appended(list: Value | undefined, value: Value, inLoop: boolean): Value {
  const known = list?.kind === 'list' ? list : undefined;
  const items = known?.items ?? [];
  if (inLoop || known?.repeated) return { kind: 'list', items: [either([...items, value])], repeated: true };
  return { kind: 'list', items: [...items, value].slice(0, maxItems), repeated: false };
}

function indexed(of: Value, key: string | undefined, by: Value): Value {
  return { kind: 'index', of, key, ...(by.kind !== 'unknown' && { by }) };
}

/** What a loop over `value` gives its variable. */
export function elementOf(value: Value): Value {
  return value.kind === 'list' ? either(value.items) : unknown;
}

function listOf(source: Source, node: Syntax, env: Environment, depth: number): Value {
  let list: Value = { kind: 'list', items: [], repeated: false };
  for (const item of node.children.slice(0, maxItems)) {
    if (item.type !== 'list_splat') { list = appended(list, valueOf(source, item, env, depth + 1), false); continue; }
    const splat = valueOf(source, item.children[0], env, depth + 1);
    // `Sequential(*self.blocks)`: the list itself stands for its elements.
    if (splat.kind !== 'list') return node.children.length === 1 ? splat : { kind: 'list', items: [unknown], repeated: true };
    list = sum(list, splat);
  }
  return list;
}

/** `a + b` of lists, and `[a] * n`. */
function sum(a: Value, b: Value): Value {
  if (a.kind !== 'list' && b.kind !== 'list') return unknown;
  if (a.kind !== 'list' || b.kind !== 'list') {
    const list = a.kind === 'list' ? a : b;
    return list.kind === 'list' ? { kind: 'list', items: [either(list.items)], repeated: true } : unknown;
  }
  if (a.items.length === 0) return b;
  if (!a.repeated && !b.repeated) return { kind: 'list', items: [...a.items, ...b.items].slice(0, maxItems), repeated: false };
  return { kind: 'list', items: [either([...a.items, ...b.items])], repeated: true };
}

function comprehensionEnvironment(source: Source, node: Syntax, env: Environment, depth: number): Environment {
  const scope = new Map(env);
  for (const clause of node.children) {
    if (clause.type !== 'for_in_clause' || clause.children[0]?.type !== 'identifier') continue;
    scope.set(source.of(clause.children[0]), elementOf(valueOf(source, clause.children[1], env, depth + 1)));
  }
  return scope;
}

function callOf(source: Source, node: Syntax, env: Environment, depth: number): Value {
  const [callee, list] = node.children;
  const inner = (n: Syntax | undefined): Value => valueOf(source, n, env, depth + 1);
  const given = list?.type === 'argument_list' ? list.children.slice(0, maxItems) : list ? [list] : [];
  const positional = given.filter(a => a.type !== 'keyword_argument' && a.type !== 'dictionary_splat');
  const named = given.filter(a => a.type === 'keyword_argument').map(a => [source.of(a.children[0]), inner(a.children[1])] as const);
  const name = callee && dottedName(source, callee);
  const last = name?.split('.').pop();
  if (name === 'getattr' && positional.length >= 2) {
    const object = dottedName(source, positional[0]), attribute = stringLiteral(source, positional[1]);
    if (object === undefined || attribute === undefined || env.has(object.split('.')[0]) && object !== 'self') return unknown;
    return object === 'self' ? { kind: 'self', name: attribute } : { kind: 'name', name: `${object}.${attribute}` };
  }
  if (last === 'partial') return inner(positional[0]);
  if (name === 'list' || name === 'tuple') return inner(positional[0]);
  if (name === 'dict' && positional.length === 0) return { kind: 'dict', entries: named };
  if ((last === 'OrderedDict' || name === 'dict') && positional[0]?.type === 'list') return pairs(source, positional[0], env, depth);
  if (last === 'OrderedDict' && positional[0]) return inner(positional[0]);
  if (callee?.type === 'attribute') {
    const method = child({ ...callee, children: callee.children.slice(-1) }, 'identifier');
    const called = method && source.of(method);
    if (called === 'get') {
      const key = positional[0] && stringLiteral(source, positional[0]);
      return indexed(inner(callee.children[0]), key, key === undefined ? inner(positional[0]) : unknown);
    }
    // `Block(config).to(device)`: methods of a module that has just been built hand it on.
    if (name === undefined) return callee.children[0].type === 'call' && !/^super\b/.test(source.of(callee.children[0])) ? inner(callee.children[0]) : unknown;
  }
  const args = positional.some(a => a.type === 'list_splat') ? [listOf(source, { ...list, children: positional }, env, depth)] : positional.map(inner);
  return { kind: 'call', callee: inner(callee), args, named };
}

/** `OrderedDict([('a', A()), …])`. */
function pairs(source: Source, list: Syntax, env: Environment, depth: number): Value {
  const tuples = list.children.filter(c => c.type === 'tuple' && c.children.length === 2).slice(0, maxItems);
  return { kind: 'dict', entries: tuples.map(t => [stringLiteral(source, t.children[0]), valueOf(source, t.children[1], env, depth + 1)] as const) };
}
