/** The Models view: folders of models, their files with sites and parity, and below each file its attention sites. */
import * as vscode from 'vscode';
import type { RefusedSite, Site } from '../../contract/site.ts';
import { staleness } from '../stale.ts';
import { steadyTree } from '../steady-tree.ts';
import type { TraceLibrary } from '../traces/trace-library.ts';
import { groupText, modelText, refusedText, siteText, workspaceOf, type Known, type ModelText } from './describe-model.ts';
import type { Discovery, FoundModel, ModelGroup } from './discover.ts';
import type { Inspector } from './inspector.ts';
import type { WorkspaceModels } from './workspace-models.ts';

/** Commands in the menus of a row get it as their argument; `model` is what they look for. */
export type ModelNode =
  | { readonly kind: 'group'; readonly group: ModelGroup; readonly file: string }
  | { readonly kind: 'model'; readonly model: string; readonly found: FoundModel; readonly folder: string }
  | { readonly kind: 'site'; readonly site: Site; readonly of: string }
  | { readonly kind: 'refused'; readonly refused: RefusedSite; readonly of: string; readonly nth: number };

export interface ModelsView { dispose(): void }

interface Around { readonly models: WorkspaceModels; readonly inspector: Inspector; readonly library: TraceLibrary }

export function createModelsView({ models, inspector, library }: Around): ModelsView {
  const stale = new Map<string, string>();
  const known = (found: FoundModel): Known => {
    const last = library.newestOf(found.path)?.summary, old = last && stale.get(last.file);
    return { sites: inspector.of(found), ...(last ? { last } : {}), ...(old === undefined ? {} : { stale: old }) };
  };
  const tree = steadyTree<ModelNode>({
    children: node => {
      if (!node) return topNodes(models.last);
      if (node.kind === 'group') return node.group.models.map(found => ({ kind: 'model', model: found.path, found, folder: node.group.folder }));
      if (node.kind !== 'model') return [];
      const report = inspector.of(node.found);
      if (typeof report !== 'object') return [];
      return [...report.sites.map((site): ModelNode => ({ kind: 'site', site, of: node.model })), ...report.refused.map((refused, nth): ModelNode => ({ kind: 'refused', refused, of: node.model, nth }))];
    },
    item: node => {
      switch (node.kind) {
        case 'group': return groupItem(node.group);
        case 'model': return modelItem(node.found, modelText(node.found, node.folder, known(node.found)), typeof inspector.of(node.found) === 'object');
        case 'site': return leaf(`${node.of} ${node.site.name}`, siteText(node.site), 'layers');
        case 'refused': return leaf(`${node.of} refused ${node.nth}`, refusedText(node.refused), 'warning');
      }
    },
  });
  const view = vscode.window.createTreeView('attnscope.models', { treeDataProvider: tree.provider, showCollapseAll: true });
  const found = (): FoundModel[] => models.last?.groups.flatMap(group => group.models) ?? [];
  const judge = async (): Promise<void> => {
    for (const model of found()) {
      const last = library.newestOf(model.path)?.summary;
      if (!last) continue;
      const why = await staleness(last);
      if (why === undefined) stale.delete(last.file);
      else stale.set(last.file, why);
    }
    tree.draw();
  };
  const look = async (): Promise<void> => {
    if (!view.visible) return;
    await vscode.window.withProgress({ location: { viewId: 'attnscope.models' } }, async () => { await models.current(); });
    // Reading strangers' graphs waits for trust, as running them does.
    if (vscode.workspace.isTrusted) inspector.want(found());
    void library.refresh();
    await judge();
  };
  const subscriptions = [models.onDidChange(() => void look()), library.onDidChange(() => void judge()), inspector.onDidChange(() => tree.draw()), view.onDidChangeVisibility(() => void look()), vscode.workspace.onDidGrantWorkspaceTrust(() => void look())];
  void look();
  return { dispose: () => { for (const one of [...subscriptions, view, tree]) one.dispose(); } };
}

/** Folders first; a lone file stands for itself. */
function topNodes(discovery: Discovery | undefined): ModelNode[] {
  return (discovery?.groups ?? []).flatMap((group): ModelNode[] => {
    if (group.card) return [{ kind: 'group', group, file: group.folder }];
    const workspace = workspaceOf(group.folder, (vscode.workspace.workspaceFolders ?? []).map(folder => folder.uri.fsPath)) ?? group.folder;
    return group.models.map(found => ({ kind: 'model', model: found.path, found, folder: workspace }));
  });
}

function groupItem(group: ModelGroup): vscode.TreeItem & { id: string } {
  const roots = (vscode.workspace.workspaceFolders ?? []).map(folder => folder.uri.fsPath), { label, description, tooltip } = groupText(group, workspaceOf(group.folder, roots));
  const item = new vscode.TreeItem(label, group.models.length ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.None);
  return Object.assign(item, { id: `group ${group.folder}`, description, tooltip: new vscode.MarkdownString(tooltip), iconPath: new vscode.ThemeIcon('package'), contextValue: 'group', accessibilityInformation: { label: `${label}, ${description}` } });
}

const icons: Readonly<Record<ModelText['state'], readonly [icon: string, color?: string]>> = {
  ok: ['pass', 'testing.iconPassed'], failed: ['error', 'testing.iconFailed'], stale: ['history', 'list.warningForeground'], untraced: ['circle-large-outline'], unreadable: ['warning', 'list.warningForeground'], 'no-attention': ['circle-slash'],
};

function modelItem(found: FoundModel, { label, description, tooltip, spoken, state }: ModelText, expandable: boolean): vscode.TreeItem & { id: string } {
  const item = new vscode.TreeItem(label, expandable ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None), [icon, color] = icons[state];
  const traceable = state === 'unreadable' || state === 'no-attention' ? 'unreadable' : state === 'untraced' ? 'model' : 'model.traced';
  return Object.assign(item, { id: `model ${found.path}`, description, tooltip: new vscode.MarkdownString(tooltip), iconPath: new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color)), contextValue: traceable, accessibilityInformation: { label: spoken } });
}

function leaf(id: string, { label, description, tooltip }: ReturnType<typeof siteText>, icon: string): vscode.TreeItem & { id: string } {
  return Object.assign(new vscode.TreeItem(label), { id, description, tooltip: new vscode.MarkdownString(tooltip), iconPath: new vscode.ThemeIcon(icon), contextValue: 'site' });
}
