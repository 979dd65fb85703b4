/** The Traces view: models, and below each its traces, newest first. */
import * as vscode from 'vscode';
import { traceEditor } from '../manifest/contributions.ts';
import { steadyTree } from '../steady-tree.ts';
import { openTraceFiles } from '../show-trace.ts';
import { groupText, groupTraces, totalText, traceText, type TraceEntry, type TraceGroup } from './trace-files.ts';
import { quotaBytes, type TraceLibrary } from './trace-library.ts';

/** Commands in the menus of a row get it as their argument; `file` is what they look for. */
export type TraceNode = { readonly kind: 'group'; readonly group: TraceGroup } | { readonly kind: 'trace'; readonly file: string; readonly entry: TraceEntry };

export interface TracesView { readonly selection: readonly TraceNode[]; dispose(): void }

export function createTracesView(library: TraceLibrary): TracesView {
  const tree = steadyTree<TraceNode>({
    children: node => {
      if (node?.kind === 'trace') return [];
      return node ? node.group.traces.map(entry => ({ kind: 'trace', file: entry.file, entry })) : groupTraces(library.entries).map(group => ({ kind: 'group', group }));
    },
    item: node => (node.kind === 'group' ? groupItem(node.group) : traceItem(node.entry)),
  });
  const view = vscode.window.createTreeView('attnscope.traces', { treeDataProvider: tree.provider, canSelectMany: true, showCollapseAll: true });
  const draw = (): void => {
    const text = totalText(library.entries, quotaBytes());
    view.description = text === '' ? undefined : text;
    tree.draw();
  };
  const look = (): void => { if (view.visible) void vscode.window.withProgress({ location: { viewId: 'attnscope.traces' } }, () => library.refresh()); };
  const subscriptions = [library.onDidChange(draw), view.onDidChangeVisibility(look), vscode.window.tabGroups.onDidChangeTabs(({ opened, closed }) => { if ([...opened, ...closed].some(tab => tab.input instanceof vscode.TabInputCustom)) tree.draw(); })];
  look();
  return { get selection() { return view.selection; }, dispose: () => { for (const one of [...subscriptions, view, tree]) one.dispose(); } };
}

function groupItem(group: TraceGroup): vscode.TreeItem & { id: string } {
  const { label, description, tooltip, spoken } = groupText(group), item = new vscode.TreeItem(label, vscode.TreeItemCollapsibleState.Expanded);
  return Object.assign(item, { id: `group ${group.model ?? ''}`, description, tooltip: new vscode.MarkdownString(tooltip), iconPath: new vscode.ThemeIcon('symbol-structure'), contextValue: group.model === undefined ? 'group' : 'group.model', accessibilityInformation: { label: spoken } });
}

function traceItem(entry: TraceEntry): vscode.TreeItem & { id: string } {
  const { label, description, tooltip, spoken } = traceText(entry, new Date()), item = new vscode.TreeItem(label, vscode.TreeItemCollapsibleState.None);
  const failed = entry.problem !== undefined || (entry.summary?.parity.failed ?? 0) > 0, open = openTraceFiles().has(entry.file);
  const icon = failed ? new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground')) : new vscode.ThemeIcon(entry.pinned ? 'pinned' : open ? 'eye' : 'graph-scatter');
  return Object.assign(item, {
    id: entry.file, description, tooltip: new vscode.MarkdownString(tooltip), iconPath: icon, contextValue: entry.pinned ? 'trace.pinned' : 'trace', accessibilityInformation: { label: spoken },
    // As in the Explorer, the row keeps the focus: F2 and Delete mean it.
    command: { title: 'Open Trace', command: 'vscode.openWith', arguments: [vscode.Uri.file(entry.file), traceEditor, { preview: false, preserveFocus: true }] },
  });
}
