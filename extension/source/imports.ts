/** Which of a file's imports can matter to its module tree: names that its classes extend or build their parts from. */
import type { PythonImport, PythonModule, Value } from './python-module.ts';

const maxDepth = 24;

/** `from M import N` whose N is a base, or stands in an attribute, a table or a returned value. With `names`, those that give one of them (a star import may). */
export function usedImports(module: PythonModule, names?: ReadonlySet<string>): readonly PythonImport[] {
  const used = names ?? usedNames(module);
  return module.imports.filter(each => each.name !== undefined && (each.name === '*' ? names !== undefined : used.has(each.alias)));
}

const known = new WeakMap<PythonModule, ReadonlySet<string>>();

function usedNames(module: PythonModule): ReadonlySet<string> {
  const before = known.get(module);
  if (before) return before;
  const used = new Set<string>();
  known.set(module, used);
  const first = (name: string): void => { used.add(name.split('.', 1)[0]); };
  const visit = (value: Value | undefined, depth = 0): void => {
    if (!value || depth > maxDepth) return;
    switch (value.kind) {
      case 'name': first(value.name); return;
      case 'param': visit(value.fallback, depth + 1); return;
      case 'call': visit(value.callee, depth + 1); for (const arg of value.args) visit(arg, depth + 1); for (const [, arg] of value.named) visit(arg, depth + 1); return;
      case 'list': for (const item of value.items) visit(item, depth + 1); return;
      case 'dict': for (const [, item] of value.entries) visit(item, depth + 1); return;
      case 'index': visit(value.of, depth + 1); visit(value.by, depth + 1); return;
      case 'either': for (const option of value.options) visit(option, depth + 1);
    }
  };
  for (const cls of module.classes) {
    for (const base of cls.bases) first(base);
    for (const attribute of cls.attributes) visit(attribute.value);
    for (const method of cls.methods) visit(method.returns);
  }
  for (const fn of module.functions) visit(fn.returns);
  for (const [, value] of module.names) visit(value);
  for (const { table } of module.registrations ?? []) first(table);
  return used;
}
