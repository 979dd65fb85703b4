/** Walks a module path (`layers.0.attn`) through the classes that the files define: what stands at its end, and which assignments led there. */
import type { ClassRef, ModuleIndex } from './module-index.ts';
import { fits } from './syntax.ts';
import type { Attribute, SourceDocument, TextRange, Value } from './python-module.ts';

/** An assignment on the way, in the class that made it, and the calls of what it holds. */
export interface Step {
  /** The class whose instance holds the attribute (it may inherit the assignment). */
  readonly holder: ClassRef;
  readonly owner: ClassRef;
  readonly name: string;
  readonly attributes: readonly Attribute[];
  /** From the holder: `['layers', '0']`. */
  readonly path: readonly string[];
}

/** Where a path ends. `external`: the name of a library module there (`torch.nn.MultiheadAttention`); then `ref` is the class that holds it. */
export interface Landing { readonly root: ClassRef; readonly ref: ClassRef; readonly steps: readonly Step[]; readonly external: string | undefined }

const maxStates = 64;
const maxWork = 20_000;
const maxDepth = 40;
const containers = /(^|\.)(ModuleList|Sequential|ModuleDict)$/;
/** Library modules that compute attention themselves; what lies inside of them cannot be checked against the files. */
const attentive = /(^|\.)(MultiheadAttention|Transformer(Encoder|Decoder)?(Layer)?)$/;
/** Leaves that an attention class may own, so that a node's path ends in them. */
const leaves = /(^|\.)(Softmax|Dropout|Identity|Linear)$/;

export function isAttentiveLibraryModule(name: string): boolean { return attentive.test(name); }

interface Scope { readonly document: SourceDocument; readonly self?: Instance; readonly bindings?: ReadonlyMap<string, Closure> }
interface Closure { readonly value: Value; readonly scope: Scope }
/** `start`: the model itself, of which nobody knows with which arguments it was made. */
interface Instance { readonly kind: 'instance'; readonly ref: ClassRef; readonly bindings: ReadonlyMap<string, Closure>; readonly start?: boolean }
type Thing = Instance
  | { readonly kind: 'class'; readonly ref: ClassRef }
  | { readonly kind: 'function'; readonly returns: Value | undefined; readonly parameters: readonly string[]; readonly scope: Scope }
  | { readonly kind: 'container'; readonly closure: Closure }
  | { readonly kind: 'external'; readonly name: string };

/** Every end that `path` can have when it starts at an instance of `root`; empty when an attribute on the way does not exist. */
export function follow(index: ModuleIndex, root: ClassRef, path: readonly string[]): readonly Landing[] {
  const tree = createEvaluator(index);
  interface State { readonly thing: Thing; readonly steps: readonly Step[] }
  let states: State[] = [{ thing: { kind: 'instance', ref: root, bindings: new Map(), start: true }, steps: [] }];
  const landings: Landing[] = [];
  for (const [position, segment] of path.entries()) {
    const next: State[] = [];
    for (const { thing, steps } of states) {
      if (thing.kind === 'instance') {
        const found = index.attribute(thing.ref, segment);
        if (!found) continue;
        const step: Step = { holder: thing.ref, owner: found.owner, name: segment, attributes: found.attributes, path: [segment] };
        for (const value of tree.attribute(thing, segment)) next.push({ thing: value, steps: [...steps, step] });
      } else if (thing.kind === 'container') {
        const last = steps[steps.length - 1];
        for (const value of tree.element(thing.closure, segment)) next.push({ thing: value, steps: [...steps.slice(0, -1), { ...last, path: [...last.path, segment] }] });
      } else if (thing.kind === 'external' && attentive.test(thing.name) && position > 0) next.push({ thing, steps });
    }
    states = distinct(next);
  }
  for (const { thing, steps } of states) {
    const last = steps[steps.length - 1];
    if (thing.kind === 'instance') landings.push({ root, ref: thing.ref, steps, external: undefined });
    else if (thing.kind === 'external' && last && attentive.test(thing.name)) landings.push({ root, ref: last.holder, steps, external: thing.name });
    else if (thing.kind === 'external' && last && leaves.test(thing.name)) landings.push({ root, ref: last.holder, steps: steps.slice(0, -1), external: undefined });
  }
  return landings;

  function distinct(all: readonly State[]): State[] {
    const seen = new Set<unknown>();
    const kept: State[] = [];
    for (const state of all) {
      const { thing } = state;
      const key = thing.kind === 'instance' ? thing.ref : thing.kind === 'external' ? thing.name : thing;
      if (thing.kind === 'class' || thing.kind === 'function' || (seen.has(key) && thing.kind === 'external')) continue;
      // Two instances of one class may have been given different parts: keep both, unless nothing was given.
      if (thing.kind === 'instance' && seen.has(key) && thing.bindings.size === 0) continue;
      seen.add(key);
      if (kept.length < maxStates) kept.push(state);
    }
    return kept;
  }
}

/** Calls of a step's module in the methods of its holder: of exactly it, or of the list around it. */
export function callsOf(index: ModuleIndex, step: Step): readonly { readonly document: SourceDocument; readonly range: TextRange }[] {
  const found: { document: SourceDocument; range: TextRange }[] = [];
  for (const { document, cls } of index.ancestry(step.holder).own) {
    for (const method of cls.methods) for (const { target, range } of method.calls) {
      if (target.length <= step.path.length && target.every((part, i) => fits(part, step.path[i]) || (i > 0 && part === '*'))) found.push({ document, range });
    }
  }
  return found;
}

/** Evaluates values to things, within a budget of work, so that files that refer to each other in circles end. */
function createEvaluator(index: ModuleIndex) {
  let work = 0;

  const evaluate = (closure: Closure, depth: number): readonly Thing[] => {
    if (depth > maxDepth || ++work > maxWork) return [];
    const { value, scope } = closure;
    const inner = (v: Value): Closure => ({ value: v, scope });
    switch (value.kind) {
      case 'unknown': case 'text': return [];
      case 'either': return value.options.flatMap(o => evaluate(inner(o), depth + 1));
      case 'list': case 'dict': return [{ kind: 'container', closure }];
      case 'param': {
        const bound = scope.bindings?.get(value.name);
        return bound ? evaluate(bound, depth + 1) : value.fallback ? evaluate(inner(value.fallback), depth + 1) : [];
      }
      case 'self': {
        if (!scope.self) return [];
        const method = index.attribute(scope.self.ref, value.name) ? undefined : index.method(scope.self.ref, value.name);
        if (method) return [{ kind: 'function', returns: method.fn.returns, parameters: method.fn.parameters, scope: { document: method.owner.document, self: scope.self } }];
        return attribute(scope.self, value.name, depth + 1);
      }
      case 'index': {
        const keys = value.key !== undefined ? [value.key] : texts(value.by && inner(value.by), depth + 1), wanted = keys.length > 0 ? keys : [undefined];
        const added = value.of.kind === 'name' ? index.registered(scope.document, value.of.name) : [];
        return [
          ...evaluate(inner(value.of), depth + 1).flatMap(t => t.kind === 'container' ? wanted.flatMap(key => element(t.closure, key, depth + 1)) : []),
          ...added.filter(a => wanted.some(key => key === undefined || key === a.key)).flatMap(a => evaluate({ value: a.value, scope: { document: a.document } }, depth + 1)),
        ];
      }
      case 'name': {
        const means = index.meaning(scope.document, value.name);
        if (means?.kind === 'class') return [{ kind: 'class', ref: means.ref }];
        if (means?.kind === 'external') return [{ kind: 'external', name: means.name }];
        if (means?.kind === 'function') return [{ kind: 'function', returns: means.fn.returns, parameters: means.fn.parameters, scope: { document: means.document } }];
        if (means?.kind === 'value') return means.value === value ? [] : evaluate({ value: means.value, scope: { document: means.document } }, depth + 1);
        // `Model.from_pretrained(…)`: a class method that makes an instance.
        const dot = value.name.lastIndexOf('.');
        const owner = dot > 0 ? index.meaning(scope.document, value.name.slice(0, dot)) : undefined;
        return owner?.kind === 'class' ? [{ kind: 'class', ref: owner.ref }] : [{ kind: 'external', name: value.name }];
      }
      case 'call': return evaluate(inner(value.callee), depth + 1).flatMap(callee => called(callee, value, scope, depth + 1));
    }
  };

  /** The strings that a key can be; none where that is not certain. */
  const texts = (closure: Closure | undefined, depth: number): readonly string[] => {
    if (!closure || depth > maxDepth || ++work > maxWork) return [];
    const { value, scope } = closure;
    const all = (closures: readonly Closure[]): readonly string[] => {
      const each = closures.map(c => texts(c, depth + 1));
      return each.some(found => found.length === 0) ? [] : each.flat();
    };
    switch (value.kind) {
      case 'text': return [value.text];
      case 'either': return all(value.options.map(option => ({ value: option, scope })));
      case 'param': {
        const bound = scope.bindings?.get(value.name);
        if (bound) return texts(bound, depth + 1);
        // A default counts where the call that left it out is known.
        return value.fallback && scope.self?.start !== true ? texts({ value: value.fallback, scope }, depth + 1) : [];
      }
      case 'self': {
        const found = scope.self && index.attribute(scope.self.ref, value.name);
        return found ? all(found.attributes.map(a => ({ value: a.value, scope: { document: found.owner.document, self: scope.self, ...(scope.self && { bindings: scope.self.bindings }) } }))) : [];
      }
      case 'name': {
        const means = index.meaning(scope.document, value.name);
        return means?.kind === 'value' && means.value !== value ? texts({ value: means.value, scope: { document: means.document } }, depth + 1) : [];
      }
      default: return [];
    }
  };

  const called = (callee: Thing, call: Value & { kind: 'call' }, scope: Scope, depth: number): readonly Thing[] => {
    const bind = (parameters: readonly string[]): ReadonlyMap<string, Closure> => {
      const bindings = new Map<string, Closure>();
      call.args.forEach((value, i) => { if (i < parameters.length) bindings.set(parameters[i], { value, scope }); });
      for (const [name, value] of call.named) bindings.set(name, { value, scope });
      return bindings;
    };
    switch (callee.kind) {
      case 'class': {
        const init = index.method(callee.ref, '__init__');
        return [{ kind: 'instance', ref: callee.ref, bindings: bind(init?.fn.parameters ?? []) }];
      }
      case 'function':
        return callee.returns ? evaluate({ value: callee.returns, scope: { ...callee.scope, bindings: bind(callee.parameters) } }, depth) : [];
      case 'external': {
        if (containers.test(callee.name)) {
          const [first] = call.args;
          if (call.args.length === 1 && first && !/Sequential$/.test(callee.name)) return evaluate({ value: first, scope }, depth);
          if (call.args.length === 1 && first && (first.kind === 'list' || first.kind === 'dict')) return [{ kind: 'container', closure: { value: first, scope } }];
          if (call.args.length === 1 && first && first.kind !== 'call') {
            const things = evaluate({ value: first, scope }, depth);
            if (things.some(t => t.kind === 'container')) return things;
          }
          return [{ kind: 'container', closure: { value: { kind: 'list', items: call.args, repeated: false }, scope } }];
        }
        // Anything else from a library that was handed a module of ours hands it on: deepcopy, torch.compile, checkpoint wrappers.
        const handed = attentive.test(callee.name) || /\.nn\.[A-Z]\w*$/.test(callee.name) ? [] : [...call.args, ...call.named.map(([, v]) => v)]
          .filter(v => v.kind !== 'list' && v.kind !== 'dict').flatMap(v => evaluate({ value: v, scope }, depth)).filter(t => t.kind === 'instance');
        return handed.length > 0 ? handed : [callee];
      }
      // `Block(…)(x)` is no module; `nn.ModuleList([...])` never is called to build one.
      case 'instance': case 'container': return [];
    }
  };

  const attribute = (instance: Instance, name: string, depth = 0): readonly Thing[] => {
    const found = index.attribute(instance.ref, name);
    if (!found) return [];
    const scope: Scope = { document: found.owner.document, self: instance, bindings: instance.bindings };
    const things = found.attributes.filter(a => a.how === 'assign').flatMap(a => evaluate({ value: a.value, scope }, depth + 1));
    const grown = found.attributes.filter(a => a.how === 'append').map(a => a.value);
    if (grown.length === 0) return things;
    // `self.layers = nn.ModuleList()` and then appends: one list, in the order of the text.
    const before = things.find(t => t.kind === 'container');
    const parts = [...(before?.kind === 'container' ? [before.closure.value] : []), ...grown];
    const lists = parts.filter(v => v.kind === 'list');
    const tables = parts.filter(v => v.kind === 'dict');
    const value: Value = tables.length > 0 ? { kind: 'dict', entries: tables.flatMap(t => t.entries) }
      : { kind: 'list', items: lists.flatMap(l => l.items), repeated: lists.some(l => l.repeated) };
    return [{ kind: 'container', closure: { value, scope } }];
  };

  /** Elements of a list or table; without a key any of them. */
  const element = (closure: Closure, key: string | undefined, depth = 0): readonly Thing[] => {
    const { value, scope } = closure;
    const pick = (v: Value): readonly Thing[] => evaluate({ value: v, scope }, depth + 1);
    if (value.kind === 'list') {
      if (key === undefined || value.repeated) return key === undefined || /^-?\d+$/.test(key) ? value.items.flatMap(pick) : [];
      const item = value.items[Number(key)];
      return item ? pick(item) : [];
    }
    if (value.kind !== 'dict') return [];
    const exact = key === undefined ? [] : value.entries.filter(([k]) => k === key);
    const position = exact.length === 0 && key !== undefined && /^\d+$/.test(key) ? value.entries[Number(key)] : undefined;
    const entries = exact.length > 0 ? exact : position ? [position] : value.entries.filter(([k]) => key === undefined || k === undefined);
    return entries.flatMap(([, v]) => pick(v));
  };

  return { attribute, element };
}
