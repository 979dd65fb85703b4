/** Python as data: the workspace's files, read once and again when they change on the disk; open documents and notebooks as they are in the editor; what they and the models need of the environment. */
import { readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import * as vscode from 'vscode';
import { createIndex, type ModuleIndex } from '../source/module-index.ts';
import { joinCells } from '../source/notebook.ts';
import type { ModelOrigin } from '../source/origin.ts';
import { createPythonParser, type PythonParser } from '../source/python-parser.ts';
import type { SourceDocument } from '../source/python-module.ts';
import { createInstalledSources, type InstalledSources } from './installed-sources.ts';
import type { PythonEnvironments } from './python-environments.ts';

const mostFiles = 2_000, mostBytes = 1_000_000, mostWanted = 256;
const elsewhere = '**/{node_modules,.git,.venv,venv,env,site-packages,__pycache__,build,dist}/**';
/** Parsing shares the extension host with everybody: other extensions get their turn after this long. */
const parseMs = 25;

export interface Sources { readonly documents: readonly SourceDocument[]; readonly index: ModuleIndex }

export interface PythonSources {
  /** Every parsed document, and the index over them; the same object until something changes. `wanted`: files that models name, as their exporters wrote them; they are found in the environment. */
  all(wanted?: readonly string[]): Promise<Sources>;
  /** Files of the environment that a model's config.json names. */
  filesOf(origin: ModelOrigin): Promise<readonly string[]>;
  readonly onDidChange: vscode.Event<void>;
  dispose(): void;
}

/** Path of the file that a document belongs to: a cell's is its notebook's. */
export function sourcePath(document: vscode.TextDocument): string { return document.uri.fsPath; }

/** Python cells of a notebook, in their order. */
export function pythonCells(notebook: vscode.NotebookDocument): vscode.TextDocument[] {
  return notebook.getCells().filter(cell => cell.kind === vscode.NotebookCellKind.Code && cell.document.languageId === 'python').map(cell => cell.document);
}

/** `dist`: folder of the parser's WebAssembly. */
export function createPythonSources(environments: PythonEnvironments, dist: string, log: vscode.LogOutputChannel): PythonSources {
  const changed = new vscode.EventEmitter<void>(), wanted = new Set<string>();
  let together: Promise<Sources> | undefined, installed: Promise<InstalledSources> | undefined;
  /** Files of the workspace as they are on the disk, by path; undefined until they are needed. */
  let onDisk: Promise<Map<string, SourceDocument>> | undefined;
  const open = new Map<string, { readonly version: string; readonly document: SourceDocument | undefined }>();
  const ofEnvironment = new Map<string, { readonly modified: number; readonly document: SourceDocument | undefined }>();

  let loading: Promise<PythonParser> | undefined, parser: PythonParser | undefined;
  const ready = async (): Promise<void> => { parser = await (loading ??= createPythonParser({ runtimeWasm: join(dist, 'web-tree-sitter.wasm'), grammarWasm: join(dist, 'tree-sitter-python.wasm') })); };

  /** `key`: an open document, whose next version costs only its changes. */
  const parse = (path: string, text: string, key?: string): SourceDocument | undefined => {
    try { return { path, text, module: parser!.parse(text, key) }; }
    catch (error) { log.warn(`${path} was not read: ${error instanceof Error ? error.message : String(error)}`); return undefined; }
  };
  const read = async (path: string, bytes = mostBytes): Promise<SourceDocument | undefined> => {
    const now = await stat(path).catch(() => undefined);
    if (!now?.isFile() || now.size > bytes) return undefined;
    const text = await readFile(path, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : parse(path, text);
  };
  const remembered = (path: string, version: string, text: () => SourceDocument | undefined): SourceDocument | undefined => {
    const known = open.get(path);
    if (known?.version === version) return known.document;
    const document = text();
    open.set(path, { version, document });
    return document;
  };
  const ofOpen = (of: vscode.TextDocument, packages: readonly string[]): SourceDocument | undefined => {
    const path = sourcePath(of), document = remembered(path, String(of.version), () => parse(path, of.getText(), path));
    return document && isInstalled(path, packages) ? { ...document, installed: true } : document;
  };
  const ofNotebook = (notebook: vscode.NotebookDocument): SourceDocument | undefined => {
    const path = notebook.uri.fsPath, cells = pythonCells(notebook);
    return remembered(path, cells.map(cell => `${cell.uri.fragment} ${cell.version}`).join(), () => {
      const { text, starts } = joinCells(cells.map(cell => cell.getText())), document = parse(path, text, path);
      return document && { ...document, cells: starts };
    });
  };
  /** A file of the environment, unless it is open: then what is in the editor counts, and is among the documents already. */
  const readInstalled = async (path: string): Promise<SourceDocument | undefined> => {
    const modified = (await stat(path).catch(() => undefined))?.mtimeMs ?? 0, known = ofEnvironment.get(path);
    if (known?.modified === modified) return known.document;
    const found = await read(path), document = found && { ...found, installed: true };
    ofEnvironment.set(path, { modified, document });
    await new Promise(resolve => setImmediate(resolve));
    return document;
  };
  const loadAll = async (): Promise<Map<string, SourceDocument>> => {
    const found = await vscode.workspace.findFiles('**/*.py', elsewhere, mostFiles), files = new Map<string, SourceDocument>();
    if (found.length === mostFiles) log.warn(`This workspace has more than ${mostFiles} Python files; classes in the others are not linked to traces.`);
    let since = performance.now();
    for (const path of found.filter(uri => uri.scheme === 'file').map(uri => uri.fsPath).sort()) {
      const document = await read(path);
      if (document) files.set(path, document);
      if (performance.now() - since > parseMs) { await new Promise(resolve => setImmediate(resolve)); since = performance.now(); }
    }
    return files;
  };
  const inEnvironment = (): Promise<InstalledSources> => installed ??= environments.folders().then(folders => createInstalledSources(folders, readInstalled));
  const collect = async (): Promise<Sources> => {
    await ready();
    const packages = await environments.folders();
    const shown = vscode.workspace.textDocuments.filter(isPython), notebooks = vscode.workspace.notebookDocuments.filter(one => one.uri.scheme === 'file');
    const files = await (onDisk ??= loadAll()), hidden = new Set(shown.map(sourcePath));
    const inEditor = [...shown.map(one => ofOpen(one, packages)), ...notebooks.map(ofNotebook)].filter(one => one !== undefined);
    const own = [...inEditor, ...[...files.values()].filter(file => !hidden.has(file.path))];
    const reached = await (await inEnvironment()).reached([...wanted], own), documents = [...own, ...reached.filter(file => !hidden.has(file.path))];
    return { documents, index: createIndex(documents) };
  };

  let waiting: NodeJS.Timeout | undefined;
  const invalidate = (): void => {
    together = undefined;
    clearTimeout(waiting);
    waiting = setTimeout(() => changed.fire(), 250);
  };
  const touched = async (uri: vscode.Uri): Promise<void> => {
    const path = uri.fsPath;
    if (ofEnvironment.has(path)) { invalidate(); return; }
    // An installation writes thousands of files.
    if (!onDisk || /[\\/](site-packages|dist-packages|node_modules|__pycache__|\.git)[\\/]/.test(path)) return;
    const files = await onDisk;
    // A file that is new counts only where the first look would have found it.
    if (files.has(path) || (await vscode.workspace.findFiles(new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), '*.py'), elsewhere)).some(one => one.fsPath === path)) {
      const document = await read(path);
      if (document) files.set(path, document); else files.delete(path);
      invalidate();
    }
  };
  const forget = (path: string): void => { open.delete(path); parser?.forget(path); };
  const watcher = vscode.workspace.createFileSystemWatcher('**/*.py');
  const subscriptions = [
    changed, watcher, watcher.onDidChange(touched), watcher.onDidCreate(touched),
    watcher.onDidDelete(async uri => { if ((await onDisk)?.delete(uri.fsPath)) invalidate(); }),
    environments.onDidChange(() => { installed = undefined; invalidate(); }),
    vscode.workspace.onDidChangeWorkspaceFolders(() => { onDisk = undefined; invalidate(); }),
    vscode.workspace.onDidChangeTextDocument(event => { if ((isPython(event.document) || isPythonCell(event.document)) && event.contentChanges.length) invalidate(); }),
    vscode.workspace.onDidOpenTextDocument(opened => { if (isPython(opened)) invalidate(); }),
    vscode.workspace.onDidCloseTextDocument(closed => { if (isPython(closed)) { invalidate(); forget(sourcePath(closed)); } }),
    vscode.workspace.onDidOpenNotebookDocument(invalidate),
    vscode.workspace.onDidChangeNotebookDocument(event => { if (event.contentChanges.length) invalidate(); }),
    vscode.workspace.onDidCloseNotebookDocument(closed => { invalidate(); forget(closed.uri.fsPath); }),
  ];
  return {
    all: (files = []) => {
      const before = wanted.size;
      for (const file of files) if (wanted.size < mostWanted) wanted.add(file);
      if (wanted.size > before) together = undefined;
      return together ??= collect();
    },
    filesOf: async origin => (await inEnvironment()).filesOf(origin),
    onDidChange: changed.event,
    dispose: () => { clearTimeout(waiting); for (const one of subscriptions) one.dispose(); void loading?.then(made => made.dispose(), () => undefined); },
  };
}

function isPython(one: vscode.TextDocument): boolean { return one.languageId === 'python' && one.uri.scheme === 'file'; }
function isPythonCell(one: vscode.TextDocument): boolean { return one.languageId === 'python' && one.uri.scheme === 'vscode-notebook-cell'; }
function isInstalled(path: string, packages: readonly string[]): boolean { return /[\\/](site|dist)-packages[\\/]/.test(path) || packages.some(folder => path.startsWith(folder + sep) && !inWorkspace(path)); }
/** A package that is edited in place (`pip install -e .`) is the user's own. */
function inWorkspace(path: string): boolean { return vscode.workspace.getWorkspaceFolder(vscode.Uri.file(path)) !== undefined; }
