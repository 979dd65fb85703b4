/** Finds the model classes that contain an attention class: those are exported, since a layer alone says little. */
import type { ClassRef, ModuleIndex } from '../module-index.ts';
import type { SourceDocument, Value } from '../python-module.ts';

const maxClasses = 2000;
const maxWork = 200_000;
const maxDepth = 24;

/** Outermost classes with a `forward` that build `attention` somewhere inside of them, the likeliest first; the class itself when nothing builds it. Empty when nothing of it has a `forward`. */
export function exportTargets(index: ModuleIndex, attention: ClassRef): readonly ClassRef[] {
  const holders = holdersOf(index), heirs = heirsOf(index);
  const depth = new Map<ClassRef, number>();
  let wave: readonly ClassRef[] = [attention, ...heirs(attention)];
  for (let level = 0; wave.length > 0 && depth.size < maxClasses; level++) {
    const next = new Set<ClassRef>();
    for (const ref of wave) {
      if (depth.has(ref)) continue;
      depth.set(ref, level);
      for (const holder of holders.get(ref) ?? []) for (const one of [holder, ...heirs(holder)]) if (!depth.has(one)) next.add(one);
    }
    wave = [...next];
  }
  const runs = (ref: ClassRef): boolean => index.method(ref, 'forward') !== undefined;
  const inside = [...depth.keys()].filter(ref => depth.get(ref)! > 0 && runs(ref));
  // Outermost: nothing that was reached builds it. Two that build each other count both.
  const outermost = inside.filter(ref => ![...holders.get(ref) ?? []].some(holder => holder !== ref && depth.has(holder) && runs(holder)));
  const found = outermost.length > 0 ? outermost : inside;
  if (found.length === 0) return runs(attention) ? [attention] : [];
  const rank = (ref: ClassRef): readonly number[] => [ref.document === attention.document ? 0 : 1, headRank(ref.cls.name), -depth.get(ref)!];
  return found.map(ref => ({ ref, rank: rank(ref) })).sort((a, b) => compare(a.rank, b.rank) || before(a.ref, b.ref)).map(({ ref }) => ref);
}

/** Of one architecture with many heads, the one that people look at attention with. */
function headRank(name: string): number {
  // Encoders have a causal class as well, for those who use them as decoders; encoder-decoders one of their decoder alone.
  const order = [/ForMaskedLM$/, /ForConditionalGeneration$/, /ForCausalLM$|LMHeadModel$/, /ForImageClassification$/, /ForPreTraining$/];
  const at = order.findIndex(pattern => pattern.test(name));
  return at >= 0 ? at : /For[A-Z]\w+$/.test(name) ? order.length + 1 : order.length;
}

/** Class → the classes whose attributes name it, directly, in tables, or through functions that build it. */
function holdersOf(index: ModuleIndex): ReadonlyMap<ClassRef, ReadonlySet<ClassRef>> {
  const holders = new Map<ClassRef, Set<ClassRef>>();
  let work = 0;
  for (const holder of index.all) {
    const seen = new Set<Value>();
    const visit = (value: Value, document: SourceDocument, level: number): void => {
      if (level > maxDepth || ++work > maxWork || seen.has(value)) return;
      seen.add(value);
      const inner = (v: Value): void => visit(v, document, level + 1);
      switch (value.kind) {
        case 'name': {
          const means = index.meaning(document, value.name);
          if (means?.kind === 'class') add(means.ref);
          else if (means?.kind === 'value') visit(means.value, means.document, level + 1);
          else if (means?.kind === 'function' && means.fn.returns) visit(means.fn.returns, means.document, level + 1);
          return;
        }
        case 'self': {
          const method = index.method(holder, value.name);
          if (method?.fn.returns) visit(method.fn.returns, method.owner.document, level + 1);
          return;
        }
        case 'param': if (value.fallback) inner(value.fallback); return;
        case 'call': inner(value.callee); value.args.forEach(inner); value.named.forEach(([, v]) => inner(v)); return;
        case 'list': value.items.forEach(inner); return;
        case 'dict': value.entries.forEach(([, v]) => inner(v)); return;
        case 'index': inner(value.of); return;
        case 'either': value.options.forEach(inner); return;
        case 'unknown': return;
      }
    };
    const add = (ref: ClassRef): void => {
      const known = holders.get(ref);
      if (known) known.add(holder); else holders.set(ref, new Set([holder]));
    };
    for (const attribute of holder.cls.attributes) visit(attribute.value, holder.document, 0);
  }
  return holders;
}

function heirsOf(index: ModuleIndex): (ref: ClassRef) => readonly ClassRef[] {
  const heirs = new Map<ClassRef, ClassRef[]>();
  for (const ref of index.all) for (const base of index.ancestry(ref).own.slice(1)) {
    const list = heirs.get(base);
    if (list) list.push(ref); else heirs.set(base, [ref]);
  }
  return ref => heirs.get(ref) ?? [];
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((x, i) => x !== b[i]);
  return at < 0 ? 0 : a[at] - b[at];
}

function before(a: ClassRef, b: ClassRef): number {
  if (a.document !== b.document) return a.document.path < b.document.path ? -1 : 1;
  return a.cls.range.start.line - b.cls.range.start.line;
}
