/** Where to write something that a panel shows. */
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';

/** Where the user says; in the workspace by default. Undefined when nothing was chosen. */
export async function askFile(trace: string, name: string, filters: Readonly<Record<string, string[]>>): Promise<string | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? dirname(trace);
  return (await vscode.window.showSaveDialog({ title: 'Export', defaultUri: vscode.Uri.file(join(folder, name.replace(/[^\w.-]+/g, '_'))), filters: { ...filters } }))?.fsPath;
}
