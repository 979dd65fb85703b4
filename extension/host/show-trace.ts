/** Opens a trace in its own editor. */
import * as vscode from 'vscode';
import { traceEditor } from './manifest/contributions.ts';

export async function showTrace(file: string): Promise<void> { await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false }); }

/** Shows a trace in the tab of the one that it supersedes, without taking the focus; nothing when nobody looks at that. */
export async function showTraceInstead(file: string, old: string): Promise<void> {
  for (const group of vscode.window.tabGroups.all) for (const tab of group.tabs) {
    // A tab behind another goes stale where it is: what is looked at must not be hidden.
    if (!(tab.input instanceof vscode.TabInputCustom) || tab.input.viewType !== traceEditor || tab.input.uri.fsPath !== old || !tab.isActive) continue;
    await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false, preserveFocus: true, viewColumn: group.viewColumn });
    await vscode.window.tabGroups.close(tab, true);
    return;
  }
}
