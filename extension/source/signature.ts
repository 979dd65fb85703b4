/** Reads what a function takes and what a class declares: names, annotations and defaults as they are written. */
import type { Field, Parameter } from './python-module.ts';
import { child, type Source, type Syntax } from './syntax.ts';

const maxParameters = 256, maxFields = 512, maxText = 200;

/** Parameters in their order, `self` included; `/` and `*` alone are no parameters but change the kind of those after them. */
export function signatureOf(source: Source, list: Syntax | undefined): readonly Parameter[] {
  const found: Parameter[] = [];
  let keywordOnly = false;
  for (const node of (list?.children ?? []).slice(0, maxParameters)) {
    if (node.type === 'keyword_separator') { keywordOnly = true; continue; }
    if (node.type === 'positional_separator') { for (const [i, one] of found.entries()) found[i] = { ...one, kind: 'position' }; continue; }
    const splat = /^(list|dictionary)_splat_pattern$/.test(node.type) ? node : node.children.find(c => /^(list|dictionary)_splat_pattern$/.test(c.type));
    const id = splat ? child(splat, 'identifier') : node.type === 'identifier' ? node : child(node, 'identifier');
    if (!id) continue;
    const type = child(node, 'type');
    const fallback = node.type.endsWith('default_parameter') ? node.children.at(-1) : undefined;
    const kind = splat?.type === 'list_splat_pattern' ? 'rest' : splat ? 'keywords' : keywordOnly ? 'keyword' : 'plain';
    if (kind === 'rest') keywordOnly = true;
    found.push({ name: source.of(id), kind, ...(type && { annotation: text(source, type) }), ...(fallback && { fallback: text(source, fallback) }) });
  }
  return found;
}

/** `name: type` and `name: type = value` in the body of a class, as dataclasses and their kin use them. */
export function fieldsOf(source: Source, body: Syntax | undefined): readonly Field[] {
  const found: Field[] = [];
  for (const statement of body?.children ?? []) {
    const assignment = statement.type === 'expression_statement' ? statement.children[0] : undefined;
    if (assignment?.type !== 'assignment' || assignment.children[0]?.type !== 'identifier' || assignment.children[1]?.type !== 'type' || found.length >= maxFields) continue;
    const value = assignment.children[2];
    found.push({ name: source.of(assignment.children[0]), annotation: text(source, assignment.children[1]), ...(value && { fallback: text(source, value) }) });
  }
  return found;
}

/** A default may be a page long: what it starts with is enough to say that there is one. */
function text(source: Source, node: Syntax): string {
  const whole = source.of(node).replace(/\s+/g, ' ');
  return whole.length <= maxText ? whole : `${whole.slice(0, maxText)}…`;
}
