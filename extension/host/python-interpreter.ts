/** Which Python runs the workspace's files: what the Python extension has chosen, else a setting, else a virtual environment in the workspace, else the one on the PATH. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import * as vscode from 'vscode';

/** The part of the Python extension's API that is used (ms-python.python). */
interface PythonApi { readonly environments?: { getActiveEnvironmentPath?(resource?: vscode.Uri): { readonly path?: unknown } } }

/** An interpreter for a file; its path, or a name on the PATH. */
export async function pythonFor(resource: vscode.Uri): Promise<string> {
  const extension = vscode.extensions.getExtension<PythonApi>('ms-python.python');
  try {
    const chosen = extension && (await extension.activate())?.environments?.getActiveEnvironmentPath?.(resource)?.path;
    // It may name an environment's folder, or an interpreter.
    if (typeof chosen === 'string' && isAbsolute(chosen)) { const found = inFolder(chosen) ?? chosen; if (existsSync(found)) return found; }
  } catch { /* another version of it, or none of its own: the next place is asked */ }
  const folder = vscode.workspace.getWorkspaceFolder(resource)?.uri.fsPath ?? vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const written = vscode.workspace.getConfiguration('python', resource).get<unknown>('defaultInterpreterPath');
  if (typeof written === 'string') {
    const path = written.replaceAll('${workspaceFolder}', folder ?? '');
    if (isAbsolute(path) && existsSync(path)) return inFolder(path) ?? path;
  }
  for (let at = dirname(resource.fsPath), up = 0; folder !== undefined && up < 32; at = dirname(at), up++) {
    for (const name of ['.venv', 'venv', '.env', 'env']) { const found = inFolder(join(at, name)); if (found) return found; }
    if (at === folder || at === dirname(at)) break;
  }
  return process.platform === 'win32' ? 'python' : 'python3';
}

/** The interpreter of an environment's folder. */
function inFolder(folder: string): string | undefined {
  return [join(folder, 'bin', 'python'), join(folder, 'bin', 'python3'), join(folder, 'Scripts', 'python.exe'), join(folder, 'python.exe')].find(path => existsSync(path));
}
