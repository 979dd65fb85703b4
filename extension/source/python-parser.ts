/** Parses Python text with tree-sitter and hands on what the rest of this room needs of it, as plain data. */
import { Edit, Language, Parser, type Tree, type TreeCursor } from 'web-tree-sitter';
import { UserError } from '../contract/errors.ts';
import { extractModule } from './extract.ts';
import type { PythonModule } from './python-module.ts';
import { joinStatements, shifted } from './statements.ts';
import { createSource, type Syntax } from './syntax.ts';

/** Longer files are refused: no hand-written model is that long, and parsing holds the editor's extension host. */
export const maxSourceBytes = 4 * 2 ** 20;
const maxParseMs = 3000;
const maxDepth = 120;
const maxNodes = 2_000_000;
/** What lies inside of these never builds or calls a module. */
const closed = new Set(['string', 'concatenated_string', 'comment', 'type', 'import_prefix', 'global_statement', 'nonlocal_statement', 'delete_statement', 'type_alias_statement', 'format_specifier']);
/** What has no children: every question spared is a call into the parser's memory. */
const leaves = new Set(['identifier', 'integer', 'float', 'true', 'false', 'none', 'ellipsis', 'pass_statement', 'break_statement', 'continue_statement', 'wildcard_import']);

export interface PythonParser {
  /**
   * What `text` says about its modules. `key` (a path) keeps the syntax tree, so that the next version of the same file costs only its changes.
   * Syntax errors are passed over: what can be read is read. @throws UserError when the text is longer than 4 MB or takes longer than 3 s.
   */
  parse(text: string, key?: string): PythonModule;
  /** Forgets the tree kept for `key`. */
  forget(key: string): void;
  dispose(): void;
}

/** `runtimeWasm`, `grammarWasm`: paths of `web-tree-sitter.wasm` and `tree-sitter-python.wasm`, or their bytes. */
export async function createPythonParser(files: { readonly runtimeWasm: string | Uint8Array; readonly grammarWasm: string | Uint8Array }): Promise<PythonParser> {
  const { runtimeWasm } = files;
  await Parser.init(typeof runtimeWasm === 'string' ? { locateFile: () => runtimeWasm } : { wasmBinary: runtimeWasm });
  const language = await Language.load(files.grammarWasm);
  const parser = new Parser();
  parser.setLanguage(language);
  const kinds = Array.from({ length: language.nodeTypeCount }, (_, id): Kind => {
    const name = language.nodeTypeIsNamed(id) ? language.nodeTypeForId(id) ?? '' : '';
    return { name, open: !closed.has(name) && !leaves.has(name), counts: name !== '' && name !== 'comment' };
  });
  const kept = new Map<string, { text: string; tree: Tree; statements: ReadonlyMap<string, Statement> }>();
  return {
    parse(text, key) {
      if (text.length > maxSourceBytes) throw new UserError(`The Python file has ${(text.length / 2 ** 20).toFixed(1)} million characters; AttnScope reads up to ${maxSourceBytes / 2 ** 20} million.`, 'Move the model into a file of its own.');
      const old = key === undefined ? undefined : kept.get(key);
      if (old) old.tree.edit(difference(old.text, text));
      const started = performance.now();
      const tree = parser.parse(text, old?.tree, { progressCallback: () => performance.now() - started > maxParseMs });
      if (!tree) {
        // The parser would otherwise go on with this text the next time.
        parser.reset();
        throw new UserError(`Parsing the Python file took longer than ${maxParseMs / 1000} s.`, 'Move the model into a file of its own.');
      }
      old?.tree.delete();
      const cursor = tree.walk();
      const statements = new Map<string, Statement>();
      try {
        return joinStatements(readStatements(text, cursor, kinds, old?.statements, statements));
      } finally {
        cursor.delete();
        if (key === undefined) tree.delete(); else kept.set(key, { text, tree, statements });
      }
    },
    forget(key) {
      kept.get(key)?.tree.delete();
      kept.delete(key);
    },
    dispose() {
      for (const { tree } of kept.values()) tree.delete();
      kept.clear();
      parser.delete();
    },
  };
}

interface Kind { readonly name: string; readonly open: boolean; readonly counts: boolean }

/** A statement of the module as it was read before: its kind, its first line, and what it says. */
interface Statement { readonly kind: string; readonly line: number; readonly says: PythonModule }

/** What each statement of the module says. One whose text is as it was, in `before`, is not walked again; what may be used the next time is left in `after`. */
function readStatements(text: string, cursor: TreeCursor, kinds: readonly Kind[], before: ReadonlyMap<string, Statement> | undefined, after: Map<string, Statement>): PythonModule[] {
  const source = createSource(text);
  const walk = createWalk(cursor, kinds);
  const parts: PythonModule[] = [];
  if (!cursor.gotoFirstChild()) return parts;
  do {
    const kind = kinds[cursor.nodeTypeId] ?? unnamed;
    if (!kind.counts) continue;
    const start = cursor.startIndex;
    const own = text.slice(start, cursor.endIndex);
    const { line, column } = source.range({ start, end: start }).start;
    const known = column === 0 ? before?.get(own) : undefined;
    const says = known?.kind === kind.name ? shifted(known.says, line - known.line) : extractModule(source, walk(kind, 1));
    parts.push(says);
    // Where a statement is broken, the same text may be read in another way the next time.
    if (column === 0 && kind.name !== 'ERROR') after.set(own, { kind: kind.name, line, says });
  } while (cursor.gotoNextSibling());
  return parts;
}

/** What the grammar has no name for is an error. */
const unnamed: Kind = { name: 'ERROR', open: true, counts: true };

/** One pass over a part of the tree: named nodes only. Deeper or more than the bounds is left out. */
function createWalk(cursor: TreeCursor, kinds: readonly Kind[]): (kind: Kind, depth: number) => Syntax {
  let nodes = 0;
  const walk = (kind: Kind, depth: number): Syntax => {
    const node: { type: string; start: number; end: number; children: Syntax[] } = { type: kind.name, start: cursor.startIndex, end: cursor.endIndex, children: [] };
    nodes++;
    if (!kind.open || depth >= maxDepth || nodes >= maxNodes || !cursor.gotoFirstChild()) return node;
    do {
      const inner = kinds[cursor.nodeTypeId];
      if (inner?.counts) node.children.push(walk(inner, depth + 1));
    } while (cursor.gotoNextSibling());
    cursor.gotoParent();
    return node;
  };
  return walk;
}

/** The one replaced stretch between two versions of a text, as tree-sitter wants it. Only indices count for us; rows only keep its bookkeeping whole. */
function difference(from: string, to: string): Edit {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && from.charCodeAt(start) === to.charCodeAt(start)) start++;
  let tail = 0;
  while (tail < shorter - start && from.charCodeAt(from.length - 1 - tail) === to.charCodeAt(to.length - 1 - tail)) tail++;
  const point = (text: string, index: number): { row: number; column: number } => {
    let row = 0;
    let line = 0;
    for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) { row++; line = at + 1; }
    return { row, column: index - line };
  };
  return new Edit({
    startIndex: start, oldEndIndex: from.length - tail, newEndIndex: to.length - tail,
    startPosition: point(from, start), oldEndPosition: point(from, from.length - tail), newEndPosition: point(to, to.length - tail),
  });
}
