/** The models of the workspace as they are now: found when somebody looks, found again when files come and go. */
import { stat } from 'node:fs/promises';
import { extname, sep } from 'node:path';
import * as vscode from 'vscode';
import { repeated } from '../debounce.ts';
import { discover, type Discovery } from './discover.ts';

export interface WorkspaceModels {
  /** What was found; looks first when nobody looked yet, or when something changed since. */
  current(): Promise<Discovery>;
  /** What was found last, however old. */
  readonly last: Discovery | undefined;
  refresh(): Promise<Discovery>;
  readonly onDidChange: vscode.Event<void>;
  dispose(): void;
}

/** Writing a model takes many events. */
const quietMs = 400;

export function createWorkspaceModels(log: vscode.LogOutputChannel): WorkspaceModels {
  const changed = new vscode.EventEmitter<void>();
  let last: Discovery | undefined, fresh = false;
  const look = repeated(async () => {
    const started = Date.now(), roots = (vscode.workspace.workspaceFolders ?? []).filter(folder => folder.uri.scheme === 'file').map(folder => folder.uri.fsPath);
    fresh = true;
    last = await discover(roots);
    log.debug(`Found ${last.groups.length} models and ${last.traces.length} traces among ${last.files} files in ${Date.now() - started} ms${last.truncated ? '; some were left out' : ''}.`);
    changed.fire();
  }, quietMs);
  const touched = (): void => {
    fresh = false;
    // Nobody looked yet: nothing to bring up to date.
    if (last) look.soon();
  };
  /** A folder that goes is one event, and none for the files in it; one that comes may be, too. */
  const below = (uri: vscode.Uri): boolean => last !== undefined && [...last.groups.flatMap(group => [group.folder, ...group.models.map(model => model.path)]), ...last.traces].some(path => path === uri.fsPath || path.startsWith(uri.fsPath + sep));
  const everything = vscode.workspace.createFileSystemWatcher('**', false, true, false);
  everything.onDidDelete(uri => { if (below(uri)) touched(); });
  everything.onDidCreate(async uri => { if (last && extname(uri.fsPath) === '' && (await stat(uri.fsPath).catch(() => undefined))?.isDirectory()) touched(); });
  const watchers = ['**/*.{onnx,attntrace,safetensors}', '**/{config,genai_config}.json'].map(pattern => vscode.workspace.createFileSystemWatcher(pattern));
  const subscriptions = watchers.flatMap(watcher => [watcher.onDidCreate(touched), watcher.onDidChange(touched), watcher.onDidDelete(touched)]);
  const folders = vscode.workspace.onDidChangeWorkspaceFolders(touched);
  const refresh = async (): Promise<Discovery> => { await look.now(); return last!; };
  return {
    current: async () => (last && fresh ? last : refresh()),
    get last() { return last; },
    refresh,
    onDidChange: changed.event,
    dispose: () => { for (const one of [look, folders, ...subscriptions, ...watchers, everything, changed]) one.dispose(); },
  };
}
