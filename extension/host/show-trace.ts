/** Traces in their own editors: opens, replaces, closes and lists these. */
import * as vscode from 'vscode';
import { traceEditor } from './manifest/contributions.ts';

/** Opens a trace in its own editor. */
export async function showTrace(file: string): Promise<void> { await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false }); }

/** Shows a trace in the tab of the one that it supersedes, without taking the focus; nothing when nobody looks at that. */
export async function showTraceInstead(file: string, old: string): Promise<void> {
  // A tab behind another goes stale where it is: what is looked at must not be hidden.
  const tab = tabsOf(old).find(one => one.isActive);
  if (!tab) return;
  await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false, preserveFocus: true, viewColumn: tab.group.viewColumn });
  await vscode.window.tabGroups.close(tab, true);
}

/** Closes every editor of a trace. */
export async function closeTrace(file: string): Promise<void> {
  const tabs = tabsOf(file);
  if (tabs.length) await vscode.window.tabGroups.close(tabs, true);
}

/** Traces that some editor shows. */
export function openTraceFiles(): ReadonlySet<string> { return new Set(traceTabs().map(([file]) => file)); }

function tabsOf(file: string): vscode.Tab[] { return traceTabs().flatMap(([shown, tab]) => (shown === file ? [tab] : [])); }

function traceTabs(): [file: string, tab: vscode.Tab][] {
  return vscode.window.tabGroups.all.flatMap(group => group.tabs).flatMap(tab => (tab.input instanceof vscode.TabInputCustom && tab.input.viewType === traceEditor ? [[tab.input.uri.fsPath, tab] as [string, vscode.Tab]] : []));
}
