/** The Python environments of the workspace: the one that the Python extension has chosen, that of its setting, those in the folders, that of the shell. */
import * as vscode from 'vscode';
import { environmentsIn, interpreterPath, packageFolders } from './site-packages.ts';

/** The Python extension may start programs of its own before it answers. */
const activationMs = 5_000;

export interface PythonEnvironments {
  /** Folders of packages, those of the chosen environment first. The same promise until something changes. */
  folders(): Promise<readonly string[]>;
  readonly onDidChange: vscode.Event<void>;
  dispose(): void;
}

/** Of the Python extension's API, what is used here. */
interface PythonApi { readonly environments?: { getActiveEnvironmentPath?(resource?: vscode.Uri): unknown; readonly onDidChangeActiveEnvironmentPath?: vscode.Event<unknown> } }

export function createPythonEnvironments(log: vscode.LogOutputChannel): PythonEnvironments {
  const changed = new vscode.EventEmitter<void>(), subscriptions: vscode.Disposable[] = [changed];
  let found: Promise<readonly string[]> | undefined, listening = false;
  const reset = (): void => { found = undefined; changed.fire(); };

  const chosen = async (folder: vscode.WorkspaceFolder | undefined): Promise<string | undefined> => {
    const extension = vscode.extensions.getExtension<PythonApi>('ms-python.python');
    if (!extension) return undefined;
    try {
      const late = new Promise<undefined>(resolve => { setTimeout(() => resolve(undefined), activationMs).unref(); });
      const environments = (extension.isActive ? extension.exports : await Promise.race([extension.activate(), late]))?.environments;
      if (!listening && environments?.onDidChangeActiveEnvironmentPath) { listening = true; subscriptions.push(environments.onDidChangeActiveEnvironmentPath(reset)); }
      const active = environments?.getActiveEnvironmentPath?.(folder?.uri) as { readonly path?: unknown } | undefined;
      return typeof active?.path === 'string' ? active.path : undefined;
    } catch (error) {
      log.warn(`The Python extension did not say which environment is chosen: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const look = async (): Promise<readonly string[]> => {
    const places: string[] = [], folders = vscode.workspace.workspaceFolders?.filter(folder => folder.uri.scheme === 'file') ?? [];
    for (const folder of folders.length ? folders : [undefined]) {
      const active = await chosen(folder), written = vscode.workspace.getConfiguration('python', folder).get<unknown>('defaultInterpreterPath');
      const set = typeof written === 'string' ? interpreterPath(written, folder?.uri.fsPath, process.env) : undefined;
      places.push(...[active, set].filter(each => each !== undefined), ...(folder ? await environmentsIn(folder.uri.fsPath) : []));
    }
    for (const name of ['VIRTUAL_ENV', 'CONDA_PREFIX']) { const place = process.env[name]; if (place) places.push(place); }
    const all = [...new Set((await Promise.all([...new Set(places)].map(packageFolders))).flat())];
    log.info(all.length ? `Python packages are looked for in ${all.join(', ')}` : 'No Python environment was found; sources outside of the workspace are read when they are open.');
    return all;
  };
  const watcher = vscode.workspace.createFileSystemWatcher('**/pyvenv.cfg', false, true, false);
  subscriptions.push(
    watcher, watcher.onDidCreate(reset), watcher.onDidDelete(reset),
    vscode.workspace.onDidChangeWorkspaceFolders(reset),
    vscode.workspace.onDidChangeConfiguration(event => { if (event.affectsConfiguration('python.defaultInterpreterPath')) reset(); }),
    vscode.extensions.onDidChange(() => { if (!listening && vscode.extensions.getExtension('ms-python.python')) reset(); }),
  );
  return { folders: () => found ??= look(), onDidChange: changed.event, dispose: () => { for (const one of subscriptions) one.dispose(); } };
}
