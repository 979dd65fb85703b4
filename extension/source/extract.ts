/** Collects what `PythonModule` holds from a syntax tree: classes (nested ones too), functions, imports, module-level names. */
import type { Attribute, PythonClass, PythonFunction, PythonImport, PythonModule, Registration, Value } from './python-module.ts';
import { scanFunction } from './scan-function.ts';
import { fieldsOf } from './signature.ts';
import { child, dottedName, stringLiteral, type Source, type Syntax } from './syntax.ts';
import { either, valueOf } from './values.ts';

const maxClasses = 2000;

/** `root`: a module, or one statement of it. */
export function extractModule(source: Source, root: Syntax): PythonModule {
  const classes: PythonClass[] = [];
  const functions: PythonFunction[] = [];
  const imports: PythonImport[] = [];
  const names = new Map<string, Value>();
  const registrations: Registration[] = [];
  const register = (table: string | undefined, key: string | undefined, value: Value): void => {
    if (table !== undefined && key !== undefined && value.kind !== 'unknown' && registrations.length < maxClasses) registrations.push({ table, key, value });
  };
  const visit = (node: Syntax): void => {
    switch (node.type) {
      case 'decorated_definition': {
        const name = child(child(node, 'class_definition') ?? node, 'identifier');
        if (name) for (const decorator of node.children) if (decorator.type === 'decorator') {
          const call = decorator.children[0]?.type === 'call' ? decorator.children[0] : undefined, [callee, args] = call?.children ?? decorator.children;
          const first = args?.type === 'argument_list' ? args.children.find(a => a.type === 'string') ?? child(child(args, 'keyword_argument') ?? args, 'string') : undefined;
          if (callee?.type === 'attribute' && /^register/.test(source.of(callee.children[1]))) register(dottedName(source, callee.children[0]), (first && stringLiteral(source, first)) ?? source.of(name), { kind: 'name', name: source.of(name) });
        }
        for (const c of node.children) visit(c);
        return;
      }
      case 'class_definition': addClass(source, node, '', classes); return;
      case 'function_definition': functions.push(scanFunction(source, node, false, new Set()).fn); return;
      case 'import_statement': case 'import_from_statement': imports.push(...importsOf(source, node)); return;
      case 'expression_statement': {
        const assignment = node.children[0];
        if (assignment?.type === 'call') {
          const [callee, args] = assignment.children;
          if (callee?.type !== 'attribute' || args?.type !== 'argument_list' || args.children.length < 2 || !/^register/.test(source.of(callee.children[1]))) return;
          register(dottedName(source, callee.children[0]), stringLiteral(source, args.children[0]), valueOf(source, args.children[1], new Map()));
          return;
        }
        if (assignment?.type === 'assignment' && assignment.children[0].type === 'subscript' && assignment.children.length === 2) {
          const [table, key] = assignment.children[0].children;
          register(dottedName(source, table), key && stringLiteral(source, key), valueOf(source, assignment.children[1], new Map()));
          return;
        }
        if (assignment?.type !== 'assignment' || assignment.children[0].type !== 'identifier') return;
        const right = assignment.children[assignment.children.length - 1];
        if (assignment.children.length < 2 || right.type === 'type') return;
        const name = source.of(assignment.children[0]);
        const value = valueOf(source, right, new Map());
        names.set(name, names.has(name) ? either([names.get(name)!, value]) : value);
        return;
      }
      // Definitions under `if TYPE_CHECKING`, `try: import …`, decorators, and around syntax errors.
      case 'module': case 'if_statement': case 'elif_clause': case 'else_clause': case 'try_statement':
      case 'except_clause': case 'finally_clause': case 'with_statement': case 'block': case 'ERROR':
        for (const c of node.children) visit(c);
    }
  };
  visit(root);
  return { classes, functions, imports, names: [...names], ...(registrations.length > 0 && { registrations }) };
}

function addClass(source: Source, node: Syntax, outer: string, into: PythonClass[]): void {
  const id = child(node, 'identifier');
  const body = child(node, 'block');
  if (!id || into.length >= maxClasses) return;
  const name = source.of(id);
  const qualifiedName = outer ? `${outer}.${name}` : name;
  const superclasses = child(node, 'argument_list');
  const definitions: Syntax[] = [];
  const attributes: Attribute[] = [];
  const nested: Syntax[] = [];
  const visit = (member: Syntax): void => {
    switch (member.type) {
      case 'function_definition': definitions.push(member); return;
      case 'class_definition': nested.push(member); return;
      case 'block': case 'decorated_definition': case 'if_statement': case 'else_clause': case 'elif_clause': case 'try_statement': case 'ERROR':
        for (const c of member.children) visit(c);
        return;
      case 'expression_statement': {
        const assignment = member.children[0];
        if (assignment?.type !== 'assignment' || assignment.children[0].type !== 'identifier' || assignment.children.length < 2) return;
        const right = assignment.children[assignment.children.length - 1];
        if (right.type !== 'type') attributes.push({ name: source.of(assignment.children[0]), how: 'assign', method: undefined, value: valueOf(source, right, new Map()), range: source.range(member) });
      }
    }
  };
  if (body) visit(body);
  const softmaxes = new Set<string>();
  const own = source.of(node);
  if (own.includes('Softmax')) for (const match of own.matchAll(/self\.(\w+)\s*=\s*(?:torch\.)?nn\.Softmax\(/g)) softmaxes.add(match[1]);
  const methods: PythonFunction[] = [];
  for (const definition of definitions) {
    const scanned = scanFunction(source, definition, true, softmaxes);
    methods.push(scanned.fn);
    attributes.push(...scanned.attributes);
  }
  const newline = source.text.indexOf('\n', node.start);
  // A header over several lines would put the lens's range over its arguments; its first line is enough.
  const lineEnd = newline < 0 ? node.end : newline;
  const headerEnd = Math.min(lineEnd, (superclasses ?? id).end);
  into.push({
    name, qualifiedName, headerRange: source.range({ start: node.start, end: headerEnd }), nameRange: source.range(id), range: source.range(node),
    bases: (superclasses?.children ?? []).map(b => dottedName(source, b.type === 'subscript' ? b.children[0] : b)).filter(b => b !== undefined),
    attributes, fields: fieldsOf(source, body), methods,
  });
  for (const inner of nested) addClass(source, inner, qualifiedName, into);
}

function importsOf(source: Source, node: Syntax): PythonImport[] {
  const alias = (n: Syntax): { name: string; alias: string } => n.type === 'aliased_import'
    ? { name: source.of(n.children[0]), alias: source.of(n.children[1]) }
    : { name: source.of(n), alias: source.of(n) };
  if (node.type === 'import_statement') return node.children.map(c => ({ alias: alias(c).alias, module: alias(c).name, name: undefined }));
  const [module, ...names] = node.children;
  if (!module) return [];
  const from = source.of(module).replace(/\s/g, '');
  return names.map(n => n.type === 'wildcard_import' ? { alias: '*', module: from, name: '*' } : { alias: alias(n).alias, module: from, name: alias(n).name });
}
