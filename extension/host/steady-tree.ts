/** Rows of a tree view that stay the objects VS Code knows, and are drawn anew only where something changed. */
import * as vscode from 'vscode';

export interface TreeSource<Node extends object> {
  /** The rows below `node`, or those at the top. */
  children(node: Node | undefined): readonly Node[];
  /** What a row shows; its `id` tells it from every other. */
  item(node: Node): vscode.TreeItem & { readonly id: string };
}

export interface SteadyTree<Node extends object> {
  readonly provider: vscode.TreeDataProvider<Node>;
  /** Asks the source again. */
  draw(): void;
  dispose(): void;
}

interface Row<Node> { readonly node: Node; readonly item: vscode.TreeItem; readonly shown: string; readonly parent: Node | undefined; readonly children: readonly string[] }
interface Drawn<Node> { readonly top: readonly string[]; readonly rows: ReadonlyMap<string, Row<Node>> }

/**
 * A row that is drawn anew has no element for a moment: a menu that is open on it then calls its command without one, and refreshes
 * in quick succession cancel each other's questions. So what did not change is not touched.
 */
export function steadyTree<Node extends object>(source: TreeSource<Node>): SteadyTree<Node> {
  const changed = new vscode.EventEmitter<Node[] | undefined>(), ids = new WeakMap<Node, string>();
  let drawn: Drawn<Node> = { top: [], rows: new Map() };
  const look = (): Drawn<Node> => {
    const rows = new Map<string, Row<Node>>();
    const add = (fresh: Node, parent: Node | undefined): string => {
      const item = source.item(fresh), known = drawn.rows.get(item.id)?.node, node = known ? Object.assign(known, fresh) : fresh;
      ids.set(node, item.id);
      rows.set(item.id, { node, item, shown: JSON.stringify(item), parent, children: source.children(node).map(child => add(child, node)) });
      return item.id;
    };
    return { top: source.children(undefined).map(node => add(node, undefined)), rows };
  };
  const draw = (): void => {
    const before = drawn;
    drawn = look();
    if (!same(before.top, drawn.top)) return changed.fire(undefined);
    const rows = [...drawn.rows].filter(([id, row]) => { const old = before.rows.get(id); return old && (old.shown !== row.shown || !same(old.children, row.children)); });
    if (rows.length) changed.fire(rows.map(([, row]) => row.node));
  };
  const rowOf = (node: Node): Row<Node> | undefined => drawn.rows.get(ids.get(node) ?? '');
  return {
    provider: {
      onDidChangeTreeData: changed.event,
      getChildren: node => (node ? rowOf(node)?.children ?? [] : drawn.top).map(id => drawn.rows.get(id)!.node),
      getParent: node => rowOf(node)?.parent,
      getTreeItem: node => rowOf(node)?.item ?? source.item(node),
    },
    draw,
    dispose: () => changed.dispose(),
  };
}

function same(a: readonly string[], b: readonly string[]): boolean { return a.length === b.length && a.every((id, i) => id === b[i]); }
