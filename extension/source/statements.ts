/** Puts together what the statements of a file say, so that those which did not change need not be read again. */
import type { PythonClass, PythonFunction, PythonImport, PythonModule, Registration, TextRange, Value } from './python-module.ts';
import { either } from './values.ts';

const maxClasses = 2000;

/** The module that these statements make, in their order. */
export function joinStatements(parts: readonly PythonModule[]): PythonModule {
  const classes: PythonClass[] = [];
  const functions: PythonFunction[] = [];
  const imports: PythonImport[] = [];
  const names = new Map<string, Value>();
  const registrations: Registration[] = [];
  for (const part of parts) {
    for (const cls of part.classes) if (classes.length < maxClasses) classes.push(cls);
    for (const fn of part.functions) functions.push(fn);
    for (const entry of part.imports) imports.push(entry);
    for (const [name, value] of part.names) names.set(name, names.has(name) ? either([names.get(name)!, value]) : value);
    for (const entry of part.registrations ?? []) if (registrations.length < maxClasses) registrations.push(entry);
  }
  return { classes, functions, imports, names: [...names], ...(registrations.length > 0 && { registrations }) };
}

/** The same statement `by` lines further down. */
export function shifted(module: PythonModule, by: number): PythonModule {
  if (by === 0) return module;
  const range = ({ start, end }: TextRange): TextRange => ({ start: { line: start.line + by, column: start.column }, end: { line: end.line + by, column: end.column } });
  const moved = <T extends { readonly range: TextRange }>(of: T): T => ({ ...of, range: range(of.range) });
  const fn = (of: PythonFunction): PythonFunction => ({ ...of, range: range(of.range), calls: of.calls.map(moved), signals: of.signals.map(moved) });
  return {
    ...module, functions: module.functions.map(fn),
    classes: module.classes.map(cls => ({ ...cls, headerRange: range(cls.headerRange), nameRange: range(cls.nameRange), range: range(cls.range), attributes: cls.attributes.map(moved), methods: cls.methods.map(fn) })),
  };
}
