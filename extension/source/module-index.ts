/** All open Python files together: which class a name means where, and what a class inherits. */
import { fits } from './syntax.ts';
import type { Attribute, PythonClass, PythonFunction, SourceDocument, Value } from './python-module.ts';

const maxDocuments = 5000;
const maxAncestors = 64;
const maxHops = 16;

/** A class in its file. The same object stands for the same class everywhere. */
export interface ClassRef { readonly document: SourceDocument; readonly cls: PythonClass }

export type Meaning =
  | { readonly kind: 'class'; readonly ref: ClassRef }
  | { readonly kind: 'function'; readonly fn: PythonFunction; readonly document: SourceDocument }
  | { readonly kind: 'value'; readonly value: Value; readonly document: SourceDocument }
  /** Comes from a package that is not among the files; `name` with its import written out: `torch.nn.Linear`. */
  | { readonly kind: 'external'; readonly name: string };

export interface ModuleIndex {
  readonly all: readonly ClassRef[];
  named(name: string): readonly ClassRef[];
  inDocument(document: SourceDocument): readonly ClassRef[];
  /** What a dotted name means in a file; undefined when nothing there defines it. */
  meaning(document: SourceDocument, name: string): Meaning | undefined;
  /** The class and everything it inherits from among the files, nearest first; then the names of bases from elsewhere. */
  ancestry(ref: ClassRef): { readonly own: readonly ClassRef[]; readonly external: readonly string[] };
  /** The assignments that count for `self.NAME`: those of the nearest class that has any. */
  attribute(ref: ClassRef, name: string): { readonly owner: ClassRef; readonly attributes: readonly Attribute[] } | undefined;
  /** What was put into the table that `name` means in a file, wherever that was done. */
  registered(document: SourceDocument, name: string): readonly { readonly document: SourceDocument; readonly key: string; readonly value: Value }[];
  method(ref: ClassRef, name: string): { readonly owner: ClassRef; readonly fn: PythonFunction } | undefined;
}

export function createIndex(documents: readonly SourceDocument[]): ModuleIndex {
  const used = documents.slice(0, maxDocuments);
  const all: ClassRef[] = [];
  const byName = new Map<string, ClassRef[]>();
  const byDocument = new Map<SourceDocument, ClassRef[]>();
  const byStem = new Map<string, SourceDocument[]>();
  for (const document of used) {
    const refs = document.module.classes.map(cls => ({ document, cls }));
    byDocument.set(document, refs);
    for (const ref of refs) { all.push(ref); push(byName, ref.cls.name, ref); }
    push(byStem, moduleParts(document.path).at(-1) ?? '', document);
  }
  const ancestries = new Map<ClassRef, ReturnType<ModuleIndex['ancestry']>>();

  /** Files that `import MODULE` in `from` can mean: relative ones by folder, absolute ones by the end of their path; the nearest folder first. */
  const filesOf = (from: SourceDocument, module: string): readonly SourceDocument[] => {
    const dots = /^\.*/.exec(module)![0].length;
    const parts = module.slice(dots).split('.').filter(Boolean);
    const folder = pathParts(from.path).slice(0, -1);
    if (dots > 0) {
      const wanted = [...folder.slice(0, folder.length - (dots - 1)), ...parts];
      return (byStem.get(wanted.at(-1) ?? '') ?? []).filter(d => same(moduleParts(d.path), wanted));
    }
    const candidates = (byStem.get(parts.at(-1) ?? '') ?? []).filter(d => endsWith(moduleParts(d.path), parts));
    const shared = (d: SourceDocument): number => commonPrefix(moduleParts(d.path), folder);
    const best = Math.max(...candidates.map(shared));
    return candidates.filter(d => shared(d) === best);
  };

  const meaning = (document: SourceDocument, name: string, hops = 0): Meaning | undefined => {
    if (hops > maxHops) return undefined;
    const { module } = document;
    const found = byDocument.get(document)?.find(r => r.cls.qualifiedName === name);
    if (found) return { kind: 'class', ref: found };
    const fn = module.functions.findLast(f => f.name === name);
    if (fn) return { kind: 'function', fn, document };
    const value = module.names.find(([n]) => n === name)?.[1];
    if (value) {
      const plain = value.kind === 'name' && value.name !== name ? meaning(document, value.name, hops + 1) : undefined;
      return plain ?? { kind: 'value', value, document };
    }
    for (const entry of module.imports.toReversed()) {
      if (entry.alias === '*') {
        for (const file of filesOf(document, entry.module)) {
          const through = file !== document ? meaning(file, name, hops + 1) : undefined;
          if (through && through.kind !== 'external') return through;
        }
        continue;
      }
      const rest = name === entry.alias ? '' : name.startsWith(`${entry.alias}.`) ? name.slice(entry.alias.length + 1) : undefined;
      if (rest === undefined) continue;
      if (entry.name === undefined) {
        const files = filesOf(document, entry.module);
        const through = files.length === 1 && rest ? meaning(files[0], rest, hops + 1) : undefined;
        return through ?? { kind: 'external', name: rest ? `${entry.module}.${rest}` : entry.module };
      }
      const full = rest ? `${entry.name}.${rest}` : entry.name;
      const files = filesOf(document, entry.module).filter(f => f !== document);
      const answers = files.map(f => meaning(f, full, hops + 1)).filter(m => m !== undefined);
      if (answers.length === 1) return answers[0];
      // `from . import attention`: the imported name is a file itself.
      const submodules = rest ? filesOf(document, `${entry.module}${entry.module.endsWith('.') ? '' : '.'}${entry.name}`) : [];
      const inside = submodules.length === 1 ? meaning(submodules[0], rest, hops + 1) : undefined;
      return inside ?? (answers.length > 1 ? undefined : { kind: 'external', name: `${entry.module}.${full}` });
    }
    return undefined;
  };

  /** The file and name that a table was made with: `ATTENTIONS` of the file that says `ATTENTIONS = …`, through imports. */
  const madeAs = (document: SourceDocument, name: string, hops = 0): string | undefined => {
    if (hops > maxHops) return undefined;
    if (document.module.names.some(([n]) => n === name)) return `${document.path}\0${name}`;
    const [first, ...rest] = name.split('.');
    for (const entry of document.module.imports.toReversed()) {
      if (entry.alias !== first && entry.alias !== '*') continue;
      const wanted = entry.alias === '*' ? name : entry.name === undefined ? rest.join('.') : [entry.name, ...rest].join('.');
      for (const file of filesOf(document, entry.module)) { const found = file === document ? undefined : madeAs(file, wanted, hops + 1); if (found !== undefined) return found; }
      // `from . import registry` and then `registry.ATTENTIONS`.
      if (entry.name !== undefined && rest.length > 0) for (const file of filesOf(document, `${entry.module}${entry.module.endsWith('.') ? '' : '.'}${entry.name}`)) { const found = madeAs(file, rest.join('.'), hops + 1); if (found !== undefined) return found; }
    }
    return undefined;
  };
  let tables: Map<string, { document: SourceDocument; key: string; value: Value }[]> | undefined;
  const registered: ModuleIndex['registered'] = (document, name) => {
    if (!tables) {
      tables = new Map();
      for (const from of used) for (const { table, key, value } of from.module.registrations ?? []) {
        const made = madeAs(from, table);
        if (made !== undefined) push(tables, made, { document: from, key, value });
      }
    }
    const made = tables.size > 0 ? madeAs(document, name) : undefined;
    return made === undefined ? [] : tables.get(made) ?? [];
  };

  const ancestry = (ref: ClassRef): ReturnType<ModuleIndex['ancestry']> => {
    const known = ancestries.get(ref);
    if (known) return known;
    const own: ClassRef[] = [];
    const external: string[] = [];
    const visit = (at: ClassRef): void => {
      if (own.includes(at) || own.length >= maxAncestors) return;
      own.push(at);
      for (const base of at.cls.bases) {
        const means = meaning(at.document, base);
        if (means?.kind === 'class') visit(means.ref); else external.push(means?.kind === 'external' ? means.name : base);
      }
    };
    visit(ref);
    ancestries.set(ref, { own, external });
    return { own, external };
  };

  return {
    all, meaning, ancestry, registered,
    named: name => byName.get(name) ?? [],
    inDocument: document => byDocument.get(document) ?? [],
    attribute(ref, name) {
      for (const owner of ancestry(ref).own) {
        const exact = owner.cls.attributes.filter(a => a.name === name), attributes = exact.length > 0 ? exact : owner.cls.attributes.filter(a => a.name.includes('*') && fits(a.name, name));
        if (attributes.length > 0) return { owner, attributes };
      }
      return undefined;
    },
    method(ref, name) {
      for (const owner of ancestry(ref).own) {
        const fn = owner.cls.methods.findLast(m => m.name === name);
        if (fn) return { owner, fn };
      }
      return undefined;
    },
  };
}

/** Components of a path of either kind of machine, and of URIs. */
export function pathParts(path: string): string[] {
  return path.split(/[\\/]+/).filter(part => part && part !== '.');
}

/** `…/models/attention.py` → […, 'models', 'attention']; a package's `__init__.py` is the package. */
function moduleParts(path: string): string[] {
  const parts = pathParts(path);
  const stem = (parts.pop() ?? '').replace(/\.pyi?$/, '');
  return stem === '__init__' ? parts : [...parts, stem];
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value); else map.set(key, [value]);
}
function same(a: readonly string[], b: readonly string[]): boolean { return a.length === b.length && a.every((x, i) => x === b[i]); }
function endsWith(a: readonly string[], end: readonly string[]): boolean { return end.length > 0 && end.every((x, i) => x === a[a.length - end.length + i]); }
function commonPrefix(a: readonly string[], b: readonly string[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}
