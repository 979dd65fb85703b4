/** The custom editor of `*.attntrace`: one page, one port; forwards what panels may ask of analysis, and answers the rest. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisApi, OpenTrace, PanelAnalysis, PanelApi, PanelEvents, TracePanelState } from '../contract/api.ts';
import { PeerGone } from '../contract/errors.ts';
import { connect, serve, type Client } from '../contract/rpc.ts';
import { askFile } from './ask-file.ts';
import type { LiveTraces } from './live-traces.ts';
import { traceEditor } from './manifest/contributions.ts';
import type { OpenTraces, TraceLease } from './open-traces.ts';
import { panelPage } from './panel-page.ts';
import { promptOf } from './prompts.ts';
import type { Session } from './session.ts';
import type { SourceLinks } from './source-links.ts';
import type { Tracing } from './tracing.ts';
import { webviewPort } from './webview-port.ts';

export interface HeadPlace { readonly site: string; readonly head: number; readonly batch: number }

export interface TraceEditor extends vscode.CustomReadonlyEditorProvider<TraceDocument> {
  /** Brings the editor of a trace file to the front, or opens one, and shows the head there. */
  reveal(file: string, place: HeadPlace): Promise<void>;
  /** Analysis is gone for this reason; undefined: there is a new one. */
  engineLost(reason: string | undefined): void;
  /** Traces the model of `file` again on the same prompt. Returns the new trace. */
  again(file: string): Promise<string | undefined>;
  /** Brings the editor of a trace file to the front, or opens one, and arranges it as a link says. */
  showView(file: string, view: unknown): Promise<void>;
  /** The trace that is looked at. */
  readonly active: string | undefined;
  /** The panel that is looked at. */
  readonly front: FrontPanel | undefined;
}
export interface FrontPanel { readonly file: string; readonly events: Client<PanelEvents>; readonly open: () => Promise<OpenTrace> }
interface TraceDocument extends vscode.CustomDocument { readonly lease: TraceLease }
/** `lost`: why the engine that this panel talked to is gone. */
interface Panel extends FrontPanel { readonly view: vscode.WebviewPanel; readonly events: Client<PanelEvents>; readonly file: string; lost: string | undefined }
interface Around { readonly context: vscode.ExtensionContext; readonly analysis: () => Promise<Client<AnalysisApi>>; readonly restart: () => Promise<void>; readonly openTraces: OpenTraces; readonly traces: LiveTraces; readonly links: SourceLinks; readonly session: Session; readonly tracing: Tracing }

export function createTraceEditor(around: Around): TraceEditor {
  const { context, analysis, openTraces, traces, links, session, tracing } = around, panels = new Set<Panel>(), toReveal = new Map<string, HeadPlace>(), toShow = new Map<string, unknown>(), dist = vscode.Uri.joinPath(context.extensionUri, 'dist');
  let active: string | undefined;
  const tellAll = (): void => { for (const panel of panels) tell(panel.events.changed({})); };
  context.subscriptions.push(traces.onDidChange(tellAll));
  openTraces.onSaid((file, text) => { for (const panel of panels) if (panel.file === file && panel.view.visible) tell(panel.events.waiting({ text })); });

  const again = async (file: string): Promise<string | undefined> => {
    const known = session.ofFile(file);
    if (known) return tracing.trace({ model: known.model, prompt: known.prompt, ...(known.source ? { source: known.source } : {}), ...(known.kept ? { kept: known.kept } : {}) });
    const lease = openTraces.lease(file);
    try {
      const { manifest } = await lease.open();
      return await tracing.trace({ model: manifest.model.path, prompt: promptOf(manifest.input), ...(manifest.kept ? { kept: { layers: manifest.kept.layers } } : {}) });
    } finally { lease.dispose(); }
  };

  const state = async (document: TraceDocument, panel: Panel): Promise<TracePanelState> => {
    if (panel.lost !== undefined) throw new PeerGone(panel.lost);
    const open = await document.lease.open(), stale = await traces.staleOf(open), reveal = toReveal.get(document.uri.fsPath), view = toShow.get(document.uri.fsPath);
    toReveal.delete(document.uri.fsPath);
    toShow.delete(document.uri.fsPath);
    const found = await links.linksOf(open);
    return { open, ...(stale ? { stale } : {}), ...(reveal ? { reveal } : {}), ...(view !== undefined ? { view } : {}), sources: Object.fromEntries(found.flatMap(link => (link.path === undefined ? [] : [[link.site, `${basename(link.path)}:${(link.line ?? link.classRange?.start.line ?? 0) + 1}`]]))) };
  };

  /** The editor of `file` in front: told now where it has a page, or when its page asks. */
  const bring = async (file: string, now: (visible: Panel) => void, later: () => void): Promise<void> => {
    const shown = [...panels].filter(panel => panel.file === file), visible = shown.find(panel => panel.view.visible);
    if (visible) { visible.view.reveal(); now(visible); return; }
    later();
    if (shown.length) shown[0].view.reveal();
    else await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false });
  };

  return {
    get active() { return active; },
    again,
    openCustomDocument: uri => { const lease = openTraces.lease(uri.fsPath); return { uri, lease, dispose: () => lease.dispose() }; },
    get front() { return [...panels].find(panel => panel.view.active) ?? [...panels].find(panel => panel.view.visible); },
    // A hidden panel has no page: the next one asks for its state and is told.
    reveal: (file, place) => bring(file, visible => tell(visible.events.reveal(place)), () => toReveal.set(file, place)),
    showView: (file, view) => bring(file, visible => tell(visible.events.show({ view })), () => toShow.set(file, view)),
    engineLost: reason => {
      for (const panel of panels) panel.lost = reason;
      openTraces.reset();
      tellAll();
    },
    resolveCustomEditor: (document, panel) => {
      const { webview } = panel, file = document.uri.fsPath, nonce = randomBytes(18).toString('base64url');
      webview.options = { enableScripts: true, localResourceRoots: [dist] };
      const { port, close } = webviewPort(webview);
      const mine: Panel = { view: panel, events: connect<PanelEvents>(port), file, open: () => document.lease.open(), lost: undefined };
      panels.add(mine);
      const forward = <K extends keyof PanelAnalysis>(name: K) => async (request: Parameters<AnalysisApi[K]>[0], { signal }: { signal: AbortSignal }) => {
        if (mine.lost !== undefined) throw new PeerGone(mine.lost);
        return ((await analysis())[name] as (asked: unknown, options: unknown) => Promise<ReturnType<AnalysisApi[K]>>)(request, { signal });
      };
      serve<PanelApi>(port, {
        tile: forward('tile'), thumbnails: forward('thumbnails'), rows: forward('rows'), look: forward('look'), picture: forward('picture'),
        state: () => state(document, mine),
        revealSource: async ({ site }) => { await links.reveal(await document.lease.open(), site); },
        retrace: async () => { await again(file); },
        restartEngine: () => around.restart(),
        saveImage: ({ name, png }) => saveImage(file, name, png),
        // Commands answer for themselves where they fail.
        exportMap: async () => { await vscode.commands.executeCommand('attnscope.exportMap'); },
        copyLink: async () => { await vscode.commands.executeCommand('attnscope.copyLink'); },
      });
      const look = (): void => { if (panel.active) active = file; else if (active === file) active = undefined; };
      look();
      panel.onDidChangeViewState(look);
      panel.onDidDispose(() => { panels.delete(mine); if (active === file) active = undefined; close('The editor was closed.'); });
      const asset = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
      webview.html = panelPage({ script: asset('webview.js'), style: asset('webview.css'), source: webview.cspSource, nonce, title: basename(file) });
    },
  };
}

/** A page that is hidden or closed does not answer; nothing depends on it. */
function tell(call: Promise<unknown>): void { call.catch(() => undefined); }

async function saveImage(trace: string, name: string, png: Uint8Array): Promise<void> {
  const chosen = await askFile(trace, name, { Image: ['png'] });
  if (chosen !== undefined) await writeFile(chosen, png);
}
