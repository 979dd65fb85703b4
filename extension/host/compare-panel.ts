/** The Compare panel: one page for a pair of traces; the comparison is made once in analysis and kept while the panel is there. */
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisApi, CompareApi, CompareEvents, ComparePanelState } from '../contract/api.ts';
import type { TraceDiff } from '../contract/diff.ts';
import { PeerGone } from '../contract/errors.ts';
import { connect, serve, type CallContext, type Client } from '../contract/rpc.ts';
import { comparePanel } from './manifest/contributions.ts';
import type { OpenTraces } from './open-traces.ts';
import { panelPage } from './panel-page.ts';
import type { TraceEditor } from './trace-editor.ts';
import { webviewPort } from './webview-port.ts';

export interface ComparePanels extends vscode.WebviewPanelSerializer {
  /** Shows A against B: the panel that does so already, or a new one. */
  open(a: string, b: string): void;
  /** Analysis is gone for this reason; undefined: there is a new one. */
  engineLost(reason: string | undefined): void;
  /** The traces that panels show: they are not deleted to make room. */
  readonly files: readonly string[];
}
interface Panel { readonly view: vscode.WebviewPanel; readonly events: Client<CompareEvents>; readonly files: readonly [string, string]; lost: string | undefined; /** By tolerance. */ readonly diffs: Map<number, TraceDiff> }
interface Around { readonly context: vscode.ExtensionContext; readonly analysis: () => Promise<Client<AnalysisApi>>; readonly restart: () => Promise<void>; readonly openTraces: OpenTraces; readonly editor: TraceEditor }

export function createComparePanels({ context, analysis, restart, openTraces, editor }: Around): ComparePanels {
  const panels = new Set<Panel>(), dist = vscode.Uri.joinPath(context.extensionUri, 'dist');

  const fill = (view: vscode.WebviewPanel, a: string, b: string): void => {
    const { webview } = view, leases = [openTraces.lease(a), openTraces.lease(b)], { port, close } = webviewPort(webview);
    webview.options = { enableScripts: true, localResourceRoots: [dist] };
    view.iconPath = new vscode.ThemeIcon('diff');
    const mine: Panel = { view, events: connect<CompareEvents>(port), files: [a, b], lost: undefined, diffs: new Map() };
    panels.add(mine);
    const living = async (): Promise<Client<AnalysisApi>> => {
      if (mine.lost !== undefined) throw new PeerGone(mine.lost);
      return analysis();
    };
    const state = async (): Promise<ComparePanelState> => {
      await living();
      const [openA, openB] = await Promise.all(leases.map(lease => lease.open()));
      return { a: openA, b: openB };
    };
    serve<CompareApi>(port, {
      tile: async (request, { signal }) => (await living()).tile(request, { signal }),
      differenceTile: async (request, { signal }) => (await living()).differenceTile(request, { signal }),
      state,
      compared: async ({ tolerance }, { signal, progress }: CallContext) => {
        const open = await state(), diff = mine.diffs.get(tolerance) ?? await (await living()).diff({ a: open.a.trace, b: open.b.trace, tolerance }, { signal, onProgress: progress });
        mine.diffs.set(tolerance, diff);
        return diff;
      },
      openHead: ({ side, ...place }) => editor.reveal(side === 'a' ? a : b, place),
      restartEngine: () => restart(),
    });
    view.onDidDispose(() => {
      panels.delete(mine);
      for (const lease of leases) lease.dispose();
      close('The panel was closed.');
    });
    const asset = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
    webview.html = panelPage({ script: asset('webview.js'), style: asset('webview.css'), source: webview.cspSource, nonce: randomBytes(18).toString('base64url'), title: 'Compare Traces', panel: 'compare' });
  };

  return {
    open: (a, b) => {
      const there = [...panels].find(panel => panel.files[0] === a && panel.files[1] === b);
      if (there) { there.view.reveal(); return; }
      fill(vscode.window.createWebviewPanel(comparePanel, `${shortName(a)} ↔ ${shortName(b)}`, vscode.ViewColumn.Active, { enableScripts: true, localResourceRoots: [dist] }), a, b);
    },
    engineLost: reason => {
      for (const panel of panels) {
        panel.lost = reason;
        panel.events.changed({}).catch(() => undefined);
      }
    },
    get files() { return [...panels].flatMap(panel => panel.files); },
    deserializeWebviewPanel: async (view, kept: unknown) => {
      const { a, b } = (typeof kept === 'object' && kept !== null ? kept : {}) as { readonly a?: unknown; readonly b?: unknown };
      // A page that closed before it said what it shows has nothing to come back to.
      if (typeof a === 'string' && typeof b === 'string') fill(view, a, b); else view.dispose();
    },
  };
}

function shortName(file: string): string { return basename(file).replace(/\.attntrace$/, ''); }
