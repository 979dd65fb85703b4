/** Reveal in Explorer and Copy Path, for models and for traces. */
import * as vscode from 'vscode';
import { fileOf } from './argument.ts';
import type { Handler } from './handler.ts';

export const revealFile: Handler = async (host, argument) => {
  const file = fileOf(argument) ?? host.editor.active;
  if (file === undefined) return;
  const uri = vscode.Uri.file(file);
  if (vscode.workspace.getWorkspaceFolder(uri)) { await vscode.commands.executeCommand('revealInExplorer', uri); return; }
  // Outside of the workspace only the system's own file manager can show it, and a browser has none.
  if (vscode.env.uiKind === vscode.UIKind.Desktop && vscode.env.remoteName === undefined) { await vscode.commands.executeCommand('revealFileInOS', uri); return; }
  const copy = 'Copy Path';
  if (await vscode.window.showInformationMessage(`This file lies outside of the workspace: ${file}`, copy) === copy) await vscode.env.clipboard.writeText(file);
};

export const copyPath: Handler = async (host, argument) => {
  const file = fileOf(argument) ?? host.editor.active;
  if (file === undefined) return;
  await vscode.env.clipboard.writeText(file);
  vscode.window.setStatusBarMessage(`AttnScope: copied ${file}`, 3_000);
};
