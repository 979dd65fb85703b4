/** Reads one function: what it assigns to `self`, which submodules it calls, what it uses and returns. */
import type { Attribute, ModuleCall, PythonFunction, Value } from './python-module.ts';
import { attentionSignals } from './signals.ts';
import { signatureOf } from './signature.ts';
import { child, namePattern, stringLiteral, walk, type Source, type Syntax } from './syntax.ts';
import { appended, either, elementOf, unknown, valueOf, type Environment } from './values.ts';

const maxCalls = 4096;
const growing = new Set(['append', 'insert', 'add_module', 'extend', 'register_module']);

export interface Scanned { readonly fn: PythonFunction; readonly attributes: readonly Attribute[] }

/** `node` is a function_definition; `softmaxes` are the class's attributes that hold an `nn.Softmax`. */
export function scanFunction(source: Source, node: Syntax, isMethod: boolean, softmaxes: ReadonlySet<string>): Scanned {
  const name = source.of(child(node, 'identifier') ?? node);
  const body = child(node, 'block');
  const env: Environment = new Map();
  const parameters = parametersOf(source, child(node, 'parameters'), env);
  const own = isMethod ? parameters.slice(1) : parameters;
  const scan = createScan(source, env, isMethod ? name : undefined);
  if (body) scan.block(body, { inLoop: false, inBranch: false });
  return {
    fn: {
      name, range: source.range(node), parameters: own, signature: signatureOf(source, child(node, 'parameters')).slice(isMethod ? 1 : 0), calls: scan.calls, uses: [...scan.uses],
      signals: body ? attentionSignals(source, body, softmaxes) : [],
      ...(scan.returned.length > 0 && { returns: either(scan.returned) }),
    },
    attributes: scan.attributes,
  };
}

function parametersOf(source: Source, list: Syntax | undefined, env: Environment): string[] {
  const names: string[] = [];
  for (const p of list?.children ?? []) {
    const id = p.type === 'identifier' ? p : child(p, 'identifier');
    if (!id || p.type === 'list_splat_pattern' || p.type === 'dictionary_splat_pattern') continue;
    const name = source.of(id);
    const fallback = p.type.endsWith('default_parameter') ? valueOf(source, p.children[p.children.length - 1], new Map()) : unknown;
    names.push(name);
    env.set(name, { kind: 'param', name, ...(fallback.kind !== 'unknown' && { fallback }) });
  }
  return names;
}

interface Place { readonly inLoop: boolean; readonly inBranch: boolean }

/** Statements in order: variables, aliases of submodules, loops over them. */
function createScan(source: Source, env: Environment, method: string | undefined) {
  const calls: ModuleCall[] = [];
  const uses = new Set<string>();
  const attributes: Attribute[] = [];
  const returned: Value[] = [];
  /** Local names that stand for a submodule: `block` in `for block in self.layers`. */
  const aliases = new Map<string, readonly string[]>();

  const pathOf = (node: Syntax | undefined): readonly string[] | undefined => {
    if (!node) return undefined;
    switch (node.type) {
      case 'identifier': return aliases.get(source.of(node));
      case 'parenthesized_expression': return pathOf(node.children[0]);
      case 'attribute': {
        const [object, id] = node.children;
        const last = source.of(id);
        if (object.type === 'identifier' && source.of(object) === 'self') return [last];
        const path = pathOf(object);
        return path && (last === 'forward' || last === '__call__' ? path : [...path, last]);
      }
      case 'subscript': {
        const path = pathOf(node.children[0]);
        const key = node.children[1];
        if (!path || key?.type === 'slice') return path;
        return [...path, key?.type === 'integer' ? source.of(key) : (key && stringLiteral(source, key)) ?? '*'];
      }
      case 'call': {
        // `getattr(self, f'layer{i}')(x)`
        const [callee, list] = node.children;
        const [object, name] = callee?.type === 'identifier' && source.of(callee) === 'getattr' ? list?.children ?? [] : [];
        const pattern = object && name && source.of(object) === 'self' ? namePattern(source, name) : undefined;
        return pattern === undefined ? undefined : [pattern];
      }
      default: return undefined;
    }
  };

  /** Binds the variables of `for left in right` to elements of the submodule lists that are looped over. */
  const bind = (left: Syntax, right: Syntax): void => {
    const targets = left.type === 'identifier' ? [left] : left.children;
    const element = (n: Syntax | undefined): readonly string[] | undefined => { const path = pathOf(n); return path && [...path, '*']; };
    const set = (target: Syntax | undefined, path: readonly string[] | undefined): void => {
      if (target?.type === 'identifier') { if (path) aliases.set(source.of(target), path); else aliases.delete(source.of(target)); }
    };
    const callee = right.type === 'call' ? right.children[0] : undefined;
    const args = right.type === 'call' ? right.children[1]?.children ?? [] : [];
    const name = callee?.type === 'identifier' ? source.of(callee) : callee?.type === 'attribute' ? source.of(callee.children[1]) : undefined;
    if (name === 'enumerate') {
      if (args[0] && targets[1]) bind(targets[1], args[0]);
    } else if (name === 'zip') {
      targets.forEach((target, i) => { if (args[i]) bind(target, args[i]); });
    } else if (name === 'reversed' || name === 'list' || name === 'tuple' || name === 'tqdm') {
      if (args[0]) bind(left, args[0]);
    } else if (callee?.type === 'attribute' && (name === 'items' || name === 'named_children')) {
      set(targets[1], element(callee.children[0]));
    } else if (callee?.type === 'attribute' && (name === 'values' || name === 'children')) {
      set(targets[0], element(callee.children[0]));
    } else if (left.type === 'identifier') {
      set(left, element(right));
      env.set(source.of(left), elementOf(valueOf(source, right, env)));
    } else if (left.type === 'pattern_list' || left.type === 'tuple_pattern') {
      // `for attn, ff in self.layers`: each element is a list itself.
      const inner = element(right);
      targets.forEach((target, i) => set(target, inner && [...inner, String(i)]));
    }
  };

  /** Calls anywhere in an expression, lambdas and comprehensions included. */
  const expression = (root: Syntax): void => walk(root, node => {
    if (node.type === 'class_definition') return false;
    if (/comprehension$|^generator_expression$/.test(node.type)) {
      for (const clause of node.children) if (clause.type === 'for_in_clause' && clause.children.length >= 2) bind(clause.children[0], clause.children[1]);
    }
    if (node.type !== 'call' || calls.length >= maxCalls) return true;
    const [callee, list] = node.children;
    const path = pathOf(callee);
    if (path && path.length > 0) calls.push({ target: path, range: source.range(callee), given: variablesIn(source, list) });
    const used = callee && usedName(source, callee);
    if (used) uses.add(used);
    // torch.utils.checkpoint.checkpoint(block, x) and its many wrappers call the module for us.
    if (used && /checkpoint/i.test(used)) for (const argument of list?.children ?? []) { const inner = pathOf(argument); if (inner) calls.push({ target: inner, range: source.range(argument), given: variablesIn(source, list) }); }
    return true;
  });

  const store = (left: Syntax, value: Value, right: Syntax | undefined, statement: Syntax, place: Place): void => {
    if (left.type === 'identifier') {
      const name = source.of(left);
      const old = env.get(name);
      env.set(name, place.inBranch && old ? either([old, value]) : value);
      const path = right && pathOf(right);
      if (path) aliases.set(name, path); else aliases.delete(name);
    } else if (left.type === 'attribute' && left.children[0].type === 'identifier' && source.of(left.children[0]) === 'self') {
      attributes.push({ name: source.of(left.children[1]), how: 'assign', method, value, range: source.range(statement) });
    } else if ((left.type === 'pattern_list' || left.type === 'tuple_pattern') && right && /^(expression_list|tuple)$/.test(right.type) && right.children.length === left.children.length) {
      left.children.forEach((l, i) => store(l, valueOf(source, right.children[i], env), right.children[i], statement, place));
    } else if (left.type === 'pattern_list' || left.type === 'tuple_pattern') {
      for (const l of left.children) if (l.type === 'identifier') { env.set(source.of(l), unknown); aliases.delete(source.of(l)); }
    }
  };

  /** Right side of `a = b = …`; returns the value that all of them get. */
  const assignment = (node: Syntax, statement: Syntax, place: Place): Value => {
    const left = node.children[0];
    const right = node.children[node.children.length - 1];
    if (node.children.length < 2 || right.type === 'type') return unknown;
    const value = right.type === 'assignment' ? assignment(right, statement, place) : valueOf(source, right, env);
    store(left, value, right.type === 'assignment' ? undefined : right, statement, place);
    return value;
  };

  /** `layers.append(…)`, `self.layers.append(…)`, `self.add_module('name', …)`, `setattr(self, 'name', …)`. */
  const growth = (node: Syntax, statement: Syntax, place: Place): void => {
    const [callee, list] = node.children;
    const args = list?.type === 'argument_list' ? list.children : [];
    if (args.length === 0 || !callee) return;
    if (callee.type === 'identifier' && source.of(callee) === 'setattr' && args.length === 3 && source.of(args[0]) === 'self') {
      const name = namePattern(source, args[1]);
      if (name) attributes.push({ name, how: 'assign', method, value: valueOf(source, args[2], env), range: source.range(statement) });
      return;
    }
    if (callee.type !== 'attribute' || !growing.has(source.of(callee.children[1]))) return;
    const object = callee.children[0];
    const how = source.of(callee.children[1]);
    const value = valueOf(source, args[args.length - 1], env);
    const named = how === 'add_module' || how === 'register_module' ? namePattern(source, args[0]) : undefined;
    if (object.type === 'identifier' && source.of(object) === 'self') {
      if (named) attributes.push({ name: named, how: 'assign', method, value, range: source.range(statement) });
      return;
    }
    const grow = (list: Value | undefined): Value => how === 'extend' ? appended(list, elementOf(value), true)
      : named !== undefined ? { kind: 'dict', entries: [...(list?.kind === 'dict' ? list.entries : []), [named, value]] }
        : appended(list, value, place.inLoop || how !== 'append');
    if (object.type === 'identifier') env.set(source.of(object), grow(env.get(source.of(object))));
    else if (object.type === 'attribute' && source.of(object.children[0]) === 'self') {
      attributes.push({ name: source.of(object.children[1]), how: 'append', method, value: grow(undefined), range: source.range(statement) });
    }
  };

  const block = (node: Syntax, place: Place): void => { for (const c of node.children) statement(c, place); };
  const statement = (node: Syntax, place: Place): void => {
    switch (node.type) {
      case 'expression_statement': {
        const inner = node.children[0];
        if (!inner) return;
        expression(inner);
        if (inner.type === 'assignment') assignment(inner, node, place);
        else if (inner.type === 'augmented_assignment') {
          const [left, right] = [inner.children[0], inner.children[inner.children.length - 1]];
          const value = valueOf(source, right, env);
          if (left.type === 'identifier' && value.kind === 'list') env.set(source.of(left), appended(env.get(source.of(left)), either(value.items), place.inLoop || value.repeated));
        } else if (inner.type === 'call') growth(inner, node, place);
        return;
      }
      case 'return_statement':
        for (const c of node.children) { expression(c); returned.push(valueOf(source, c, env)); }
        return;
      case 'for_statement': {
        const [left, right, ...rest] = node.children;
        if (!left || !right) return;
        expression(right);
        bind(left, right);
        for (const c of rest) statement(c, { inLoop: true, inBranch: place.inBranch });
        return;
      }
      case 'while_statement': for (const c of node.children) statement(c, { inLoop: true, inBranch: place.inBranch }); return;
      case 'if_statement': case 'elif_clause': case 'else_clause': case 'try_statement': case 'except_clause': case 'match_statement': case 'case_clause':
        for (const c of node.children) statement(c, { ...place, inBranch: true });
        return;
      case 'block': case 'with_statement': case 'finally_clause': block(node, place); return;
      case 'decorated_definition': statement(node.children[node.children.length - 1], place); return;
      case 'function_definition': { const body = child(node, 'block'); if (body) inNested(body, place); return; }
      case 'class_definition': return;
      default: expression(node);
    }
  };
  /** An inner function's calls are the outer one's; what it returns is not. */
  const inNested = (body: Syntax, place: Place): void => {
    const before = returned.length;
    block(body, place);
    returned.length = before;
  };
  return { calls, uses, attributes, returned, block };
}

function usedName(source: Source, callee: Syntax): string | undefined {
  if (callee.type === 'identifier') return source.of(callee);
  if (callee.type !== 'attribute') return undefined;
  const [object, id] = callee.children;
  if (object.type === 'identifier') return `${source.of(object)}.${source.of(id)}`;
  if (object.type === 'call' && /^super\s*\(/.test(source.of(object))) return `super.${source.of(id)}`;
  return source.of(id);
}

/** Arguments by position or by keyword; undefined for those that are more than a variable. */
function variablesIn(source: Source, list: Syntax | undefined): (string | undefined)[] {
  return (list?.children ?? []).map(a => a.type === 'keyword_argument' ? a.children[1] : a).map(a => a?.type === 'identifier' ? source.of(a) : undefined);
}
