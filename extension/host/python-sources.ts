/** The Python of the workspace as data: parsed when first needed, again when it changes; open documents before files. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { createPythonParser, type PythonParser } from '../source/python-parser.ts';
import { createIndex, type ModuleIndex } from '../source/module-index.ts';
import type { SourceDocument } from '../source/python-module.ts';

const mostFiles = 2_000, mostBytes = 1_000_000;
const elsewhere = '**/{node_modules,.git,.venv,venv,env,site-packages,__pycache__,build,dist}/**';

export interface PythonSources {
  /** Every parsed document, and the index over them; the same object until something changes. */
  all(): Promise<{ readonly documents: readonly SourceDocument[]; readonly index: ModuleIndex }>;
  /** The document as it is in the editor now; undefined for text that is too long to parse. */
  document(document: vscode.TextDocument): Promise<SourceDocument | undefined>;
  readonly onDidChange: vscode.Event<void>;
  dispose(): void;
}

export function createPythonSources(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): PythonSources {
  const dist = join(context.extensionPath, 'dist'), changed = new vscode.EventEmitter<void>();
  let parser: Promise<PythonParser> | undefined, together: Promise<{ documents: readonly SourceDocument[]; index: ModuleIndex }> | undefined;
  const parsed = new Map<string, { readonly stamp: string; readonly document: SourceDocument | undefined }>();
  const parse = async (path: string, stamp: string, text: () => Promise<string> | string): Promise<SourceDocument | undefined> => {
    const known = parsed.get(path);
    if (known?.stamp === stamp) return known.document;
    parser ??= createPythonParser({ runtimeWasm: join(dist, 'web-tree-sitter.wasm'), grammarWasm: join(dist, 'tree-sitter-python.wasm') });
    let document: SourceDocument | undefined;
    try { document = { path, module: (await parser).parse(await text(), path) }; } catch (error) { log.warn(`${path} was not read: ${error instanceof Error ? error.message : String(error)}`); }
    parsed.set(path, { stamp, document });
    return document;
  };
  const document = (open: vscode.TextDocument): Promise<SourceDocument | undefined> => parse(open.uri.fsPath, `open ${open.version}`, () => open.getText());
  const file = async (path: string): Promise<SourceDocument | undefined> => {
    const now = await stat(path).catch(() => undefined);
    return now && now.size <= mostBytes ? parse(path, `${now.mtimeMs} ${now.size}`, () => readFile(path, 'utf8')) : undefined;
  };
  const collect = async (): Promise<{ documents: readonly SourceDocument[]; index: ModuleIndex }> => {
    const open = vscode.workspace.textDocuments.filter(one => one.languageId === 'python' && one.uri.scheme === 'file');
    const paths = new Set((await vscode.workspace.findFiles('**/*.py', elsewhere, mostFiles)).map(uri => uri.fsPath));
    for (const one of open) paths.delete(one.uri.fsPath);
    const documents = (await Promise.all([...open.map(document), ...[...paths].sort().map(file)])).filter(one => one !== undefined);
    return { documents, index: createIndex(documents) };
  };

  let waiting: NodeJS.Timeout | undefined;
  const invalidate = (): void => {
    together = undefined;
    clearTimeout(waiting);
    waiting = setTimeout(() => changed.fire(), 250);
  };
  const watcher = vscode.workspace.createFileSystemWatcher('**/*.py');
  const subscriptions = [
    changed, watcher, watcher.onDidChange(invalidate), watcher.onDidCreate(invalidate), watcher.onDidDelete(invalidate),
    vscode.workspace.onDidChangeTextDocument(event => { if (event.document.languageId === 'python' && event.contentChanges.length) invalidate(); }),
    vscode.workspace.onDidOpenTextDocument(opened => { if (opened.languageId === 'python' && !parsed.has(opened.uri.fsPath)) invalidate(); }),
    vscode.workspace.onDidCloseTextDocument(async closed => { (await parser)?.forget(closed.uri.fsPath); }),
  ];
  return {
    all: () => together ??= collect(),
    document,
    onDidChange: changed.event,
    dispose: () => { clearTimeout(waiting); for (const one of subscriptions) one.dispose(); void parser?.then(made => made.dispose(), () => undefined); },
  };
}
