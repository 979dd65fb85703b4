/** The Python of the workspace as data: files are read once and again when they change on the disk, open documents as they are in the editor. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { createPythonParser, type PythonParser } from '../source/python-parser.ts';
import { createIndex, type ModuleIndex } from '../source/module-index.ts';
import type { SourceDocument } from '../source/python-module.ts';

const mostFiles = 2_000, mostBytes = 1_000_000;
const elsewhere = '**/{node_modules,.git,.venv,venv,env,site-packages,__pycache__,build,dist}/**';
/** Parsing shares the extension host with everybody: other extensions get their turn after this long. */
const parseMs = 25;

export interface PythonSources {
  /** Every parsed document, and the index over them; the same object until something changes. */
  all(): Promise<{ readonly documents: readonly SourceDocument[]; readonly index: ModuleIndex }>;
  readonly onDidChange: vscode.Event<void>;
  dispose(): void;
}

export function createPythonSources(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): PythonSources {
  const dist = join(context.extensionPath, 'dist'), changed = new vscode.EventEmitter<void>();
  let parser: Promise<PythonParser> | undefined, together: Promise<{ documents: readonly SourceDocument[]; index: ModuleIndex }> | undefined;
  /** Files as they are on the disk, by path; undefined until they are needed. */
  let onDisk: Promise<Map<string, SourceDocument>> | undefined;
  const open = new Map<string, { readonly version: number; readonly document: Promise<SourceDocument | undefined> }>();

  /** `key`: keeps the syntax tree, so that the next edit is cheap; for open documents only, since trees are large. */
  const parse = async (path: string, text: string, key?: string): Promise<SourceDocument | undefined> => {
    parser ??= createPythonParser({ runtimeWasm: join(dist, 'web-tree-sitter.wasm'), grammarWasm: join(dist, 'tree-sitter-python.wasm') });
    try { return { path, module: (await parser).parse(text, key) }; }
    catch (error) { log.warn(`${path} was not read: ${error instanceof Error ? error.message : String(error)}`); return undefined; }
  };
  const document = (of: vscode.TextDocument): Promise<SourceDocument | undefined> => {
    const path = of.uri.fsPath, { version } = of, known = open.get(path);
    if (known?.version === version) return known.document;
    const parsed = parse(path, of.getText(), path);
    open.set(path, { version, document: parsed });
    return parsed;
  };
  const load = async (path: string, into: Map<string, SourceDocument>): Promise<void> => {
    into.delete(path);
    const now = await stat(path).catch(() => undefined);
    if (!now?.isFile() || now.size > mostBytes) return;
    const text = await readFile(path, 'utf8').catch(() => undefined), read = text === undefined ? undefined : await parse(path, text);
    if (read) into.set(path, read);
  };
  const loadAll = async (): Promise<Map<string, SourceDocument>> => {
    const found = await vscode.workspace.findFiles('**/*.py', elsewhere, mostFiles), files = new Map<string, SourceDocument>();
    if (found.length === mostFiles) log.warn(`This workspace has more than ${mostFiles} Python files; classes in the others are not linked to traces.`);
    let since = performance.now();
    for (const path of found.filter(uri => uri.scheme === 'file').map(uri => uri.fsPath).sort()) {
      await load(path, files);
      if (performance.now() - since > parseMs) { await new Promise(resolve => setImmediate(resolve)); since = performance.now(); }
    }
    return files;
  };
  const collect = async (): Promise<{ documents: readonly SourceDocument[]; index: ModuleIndex }> => {
    const shown = vscode.workspace.textDocuments.filter(one => one.languageId === 'python' && one.uri.scheme === 'file');
    const files = await (onDisk ??= loadAll()), hidden = new Set(shown.map(one => one.uri.fsPath));
    const documents = [...(await Promise.all(shown.map(document))).filter(one => one !== undefined), ...[...files.values()].filter(file => !hidden.has(file.path))];
    return { documents, index: createIndex(documents) };
  };

  let waiting: NodeJS.Timeout | undefined;
  const invalidate = (): void => {
    together = undefined;
    clearTimeout(waiting);
    waiting = setTimeout(() => changed.fire(), 250);
  };
  const touched = async (uri: vscode.Uri): Promise<void> => {
    if (!onDisk) return;
    const files = await onDisk, path = uri.fsPath;
    // A file that is new counts only where the first look would have found it.
    if (files.has(path) || (await vscode.workspace.findFiles(new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), '*.py'), elsewhere)).some(one => one.fsPath === path)) {
      await load(path, files);
      invalidate();
    }
  };
  const forget = async (path: string): Promise<void> => { open.delete(path); (await parser)?.forget(path); };
  const watcher = vscode.workspace.createFileSystemWatcher('**/*.py');
  const isPython = (one: vscode.TextDocument): boolean => one.languageId === 'python' && one.uri.scheme === 'file';
  const subscriptions = [
    changed, watcher, watcher.onDidChange(touched), watcher.onDidCreate(touched),
    watcher.onDidDelete(async uri => { if ((await onDisk)?.delete(uri.fsPath)) invalidate(); }),
    vscode.workspace.onDidChangeWorkspaceFolders(() => { onDisk = undefined; invalidate(); }),
    vscode.workspace.onDidChangeTextDocument(event => { if (isPython(event.document) && event.contentChanges.length) invalidate(); }),
    vscode.workspace.onDidOpenTextDocument(opened => { if (isPython(opened)) invalidate(); }),
    vscode.workspace.onDidCloseTextDocument(closed => { if (isPython(closed)) { invalidate(); void forget(closed.uri.fsPath); } }),
  ];
  return {
    all: () => together ??= collect(),
    onDidChange: changed.event,
    dispose: () => { clearTimeout(waiting); for (const one of subscriptions) one.dispose(); void parser?.then(made => made.dispose(), () => undefined); },
  };
}
