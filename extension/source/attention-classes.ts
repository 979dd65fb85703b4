/** Says which classes are attention, and why: by what their `forward` does, by the library modules they hold, or only by their name. */
import type { AttentionSignal, PythonFunction, SourceDocument, TextRange, Value } from './python-module.ts';
import { createIndex, type ClassRef, type ModuleIndex } from './module-index.ts';
import { follow, isAttentiveLibraryModule } from './module-tree.ts';

export interface AttentionClass {
  readonly ref: ClassRef;
  readonly by: 'forward' | 'library' | 'name';
  /** A sentence for people: `forward` computes a softmax of a product, times a third. */
  readonly reason: string;
  /** The class whose `forward` it is, when inherited. */
  readonly inheritedFrom?: ClassRef;
  /** Where the evidence stands, in the file of `inheritedFrom` or of the class itself. */
  readonly evidence?: TextRange;
}

const maxFollowed = 64;
/** `Attention`, `GPT2Attention`, `MultiHeadAttn`, `CausalSelfAttention`, `MHA2`, but not AttentionConfig, AttentionOutput, AttentionMaskConverter. */
const byName = /(Attention|Attn|ATTN|MHA|MHSA|SDPA|GQA|MQA|MLA)(V?\d+|Block|Layer|Module|Base)?(_\w+)?$/;

/** Attention classes of `documents`, in their order. Pass the `index` when one exists. */
export function attentionClasses(documents: readonly SourceDocument[], index: ModuleIndex = createIndex(documents)): readonly AttentionClass[] {
  return index.all.map(ref => attentionClass(index, ref)).filter(found => found !== undefined);
}

/** Undefined when nothing about the class says attention. */
export function attentionClass(index: ModuleIndex, ref: ClassRef): AttentionClass | undefined {
  const forward = index.method(ref, 'forward') ?? index.method(ref, '__call__') ?? index.method(ref, 'call');
  const inherited = forward && forward.owner !== ref ? { inheritedFrom: forward.owner } : {};
  if (forward) {
    const signal = signalOf(index, ref, forward.owner, forward.fn);
    if (signal) {
      const where = forward.owner === ref ? '`forward`' : `\`forward\`, inherited from \`${forward.owner.cls.name}\`,`;
      const through = signal.through ? ` (in \`${signal.through}\`)` : '';
      const what = signal.what.includes(' ') ? `computes a ${signal.what}` : `calls \`${signal.what}\``;
      return { ref, by: 'forward', reason: `${where} ${what}${through}`, ...inherited, ...(!signal.through && { evidence: signal.range }) };
    }
  }
  for (const owner of index.ancestry(ref).own) for (const attribute of owner.cls.attributes) {
    const name = libraryModule(index, owner.document, attribute.value);
    if (name) return { ref, by: 'library', reason: `\`self.${attribute.name}\` is \`${name}\``, evidence: attribute.range, ...(owner !== ref && { inheritedFrom: owner }) };
  }
  const library = index.ancestry(ref).external.find(isAttentiveLibraryModule);
  if (library) return { ref, by: 'library', reason: `it extends \`${library}\``, ...inherited };
  // A configuration or a mask helper may carry the word; a module has a forward, its own or a base's that is not among the files.
  const couldRun = forward !== undefined || index.ancestry(ref).external.some(base => /Module|Layer|Attention|Attn/.test(base));
  if (byName.test(ref.cls.name) && couldRun && !wrapsAttention(index, ref)) return { ref, by: 'name', reason: 'by name only: what its `forward` does shows no attention', ...inherited };
  return undefined;
}

/** It only holds the module that computes attention, as `BertAttention` holds `self.self = BertSelfAttention(…)`. */
function wrapsAttention(index: ModuleIndex, ref: ClassRef): boolean {
  const names = new Set(index.ancestry(ref).own.flatMap(owner => owner.cls.attributes.map(a => a.name)));
  return [...names].slice(0, 64).some(name => follow(index, ref, [name]).some(({ ref: part, external }) =>
    external === undefined && part !== ref && isSeen(index, part)));
}

/** By what its `forward` does or what it holds, not by its name alone. */
function isSeen(index: ModuleIndex, ref: ClassRef): boolean {
  const forward = index.method(ref, 'forward');
  return forward !== undefined && signalOf(index, ref, forward.owner, forward.fn) !== undefined;
}

/** A signal in the function, or in the functions of the same file and methods of the same object that it calls. */
function signalOf(index: ModuleIndex, ref: ClassRef, owner: ClassRef, start: PythonFunction): (AttentionSignal & { readonly through?: string }) | undefined {
  interface Place { readonly fn: PythonFunction; readonly document: SourceDocument; readonly owner: ClassRef | undefined; readonly through?: string }
  const queue: Place[] = [{ fn: start, document: owner.document, owner }];
  const seen = new Set<PythonFunction>();
  for (let at = 0; at < queue.length && seen.size < maxFollowed; at++) {
    const { fn, document, owner: within, through } = queue[at];
    if (seen.has(fn)) continue;
    seen.add(fn);
    if (fn.signals.length > 0) return through === undefined ? fn.signals[0] : { ...fn.signals[0], through };
    for (const use of fn.uses) {
      const [object, method] = use.split('.');
      if (method === undefined || (object !== 'self' && object !== 'super')) {
        const means = index.meaning(document, use);
        if (means?.kind === 'function') queue.push({ fn: means.fn, document: means.document, owner: undefined, through: through ?? means.fn.name });
        continue;
      }
      if (!within) continue;
      const ancestors = index.ancestry(ref).own;
      const from = object === 'super' ? ancestors.slice(ancestors.indexOf(within) + 1) : ancestors;
      for (const candidate of from) {
        const found = candidate.cls.methods.findLast(m => m.name === method);
        if (!found) continue;
        queue.push({ fn: found, document: candidate.document, owner: candidate, through: through ?? `${object}.${method}` });
        break;
      }
    }
  }
  return undefined;
}

/** The attention module of a library that a value builds, directly or in a list. */
function libraryModule(index: ModuleIndex, document: SourceDocument, value: Value, depth = 0): string | undefined {
  if (depth > 8) return undefined;
  const first = (values: readonly Value[]): string | undefined => {
    for (const v of values) { const name = libraryModule(index, document, v, depth + 1); if (name) return name; }
    return undefined;
  };
  switch (value.kind) {
    case 'call': {
      const name = value.callee.kind === 'name' ? value.callee.name : undefined;
      const means = name === undefined ? undefined : index.meaning(document, name);
      if (name !== undefined && means?.kind !== 'class' && means?.kind !== 'function' && isAttentiveLibraryModule(means?.kind === 'external' ? means.name : name)) return name;
      return first(value.args);
    }
    case 'list': return first(value.items);
    case 'dict': return first(value.entries.map(([, v]) => v));
    case 'either': return first(value.options);
    default: return undefined;
  }
}
