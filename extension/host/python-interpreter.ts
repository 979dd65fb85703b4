/** Which Python runs a file of the workspace: what the Python extension has chosen, else a setting, else a virtual environment beside the file or above it, else the one on the PATH. */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { environmentsIn, interpreterPath } from './site-packages.ts';

const mostFolders = 32;

/** The part of the Python extension's API that is used (ms-python.python). */
interface PythonApi { readonly environments?: { getActiveEnvironmentPath?(resource?: vscode.Uri): { readonly path?: unknown } } }

/** An interpreter for a file; its path, or a name on the PATH. */
export async function pythonFor(resource: vscode.Uri): Promise<string> {
  const folder = (vscode.workspace.getWorkspaceFolder(resource) ?? vscode.workspace.workspaceFolders?.[0])?.uri.fsPath;
  const written = vscode.workspace.getConfiguration('python', resource).get<unknown>('defaultInterpreterPath');
  const places = [await chosen(resource), typeof written === 'string' ? interpreterPath(written, folder, process.env) : undefined];
  for (let at = dirname(resource.fsPath), up = 0; folder !== undefined && up < mostFolders; at = dirname(at), up++) {
    places.push(...await environmentsIn(at));
    if (at === folder || at === dirname(at)) break;
  }
  for (const place of places) { const found = place === undefined ? undefined : interpreterIn(place); if (found !== undefined) return found; }
  return process.platform === 'win32' ? 'python' : 'python3';
}

async function chosen(resource: vscode.Uri): Promise<string | undefined> {
  // Another version of it may have another API, or may not start: the next place is asked then.
  try {
    const path = (await vscode.extensions.getExtension<PythonApi>('ms-python.python')?.activate())?.environments?.getActiveEnvironmentPath?.(resource)?.path;
    return typeof path === 'string' ? path : undefined;
  } catch { return undefined; }
}

/** `place` is an interpreter, or the folder of an environment. */
function interpreterIn(place: string): string | undefined {
  return [join(place, 'bin', 'python'), join(place, 'bin', 'python3'), join(place, 'Scripts', 'python.exe'), join(place, 'python.exe'), place].find(path => statSync(path, { throwIfNoEntry: false })?.isFile());
}
