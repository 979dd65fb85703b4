/** The yardstick of our parser: the same extraction over tree-sitter's syntax tree. */
import { createRequire } from 'node:module';
import { Language, Parser, type TreeCursor } from 'web-tree-sitter';
import { extractModule } from '../../../extension/source/extract.ts';
import type { PythonModule } from '../../../extension/source/python-module.ts';
import type { Syntax } from '../../../extension/source/syntax.ts';

/** What lies inside of these never builds or calls a module. */
const closed = new Set(['string', 'concatenated_string', 'comment', 'type', 'import_prefix', 'global_statement', 'nonlocal_statement', 'delete_statement', 'type_alias_statement', 'format_specifier']);

export async function createYardstick(): Promise<(text: string) => PythonModule> {
  const require = createRequire(import.meta.url);
  await Parser.init({ locateFile: () => require.resolve('web-tree-sitter/web-tree-sitter.wasm') });
  const language = await Language.load(require.resolve('tree-sitter-python/tree-sitter-python.wasm')), parser = new Parser();
  parser.setLanguage(language);
  const names = Array.from({ length: language.nodeTypeCount }, (_, id) => language.nodeTypeIsNamed(id) ? language.nodeTypeForId(id) ?? '' : '');
  return text => {
    const tree = parser.parse(text)!, cursor = tree.walk();
    try { return extractModule(text, toSyntax(cursor, names)); } finally { cursor.delete(); tree.delete(); }
  };
}

function toSyntax(cursor: TreeCursor, names: readonly string[]): Syntax {
  const walk = (type: string): Syntax => {
    const node: { type: string; start: number; end: number; children: Syntax[] } = { type, start: cursor.startIndex, end: cursor.endIndex, children: [] };
    if (closed.has(type) || !cursor.gotoFirstChild()) return node;
    do {
      const inner = names[cursor.nodeTypeId];
      if (inner && inner !== 'comment') node.children.push(walk(inner));
    } while (cursor.gotoNextSibling());
    cursor.gotoParent();
    return node;
  };
  return walk(names[cursor.nodeTypeId] ?? '');
}
