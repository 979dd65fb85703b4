/** The custom editor of `*.attntrace`: one page, one port; forwards what panels may ask of analysis, and answers the rest. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisApi, PanelApi, PanelEvents, TracePanelState } from '../contract/api.ts';
import { PeerGone } from '../contract/errors.ts';
import { connect, serve, type Client, type Port } from '../contract/rpc.ts';
import type { LiveTraces } from './live-traces.ts';
import { traceEditor } from './manifest/contributions.ts';
import type { OpenTraces, TraceLease } from './open-traces.ts';
import { panelPage } from './panel-page.ts';
import { promptOf } from './prompts.ts';
import type { Session } from './session.ts';
import type { SourceLinks } from './source-links.ts';
import type { Tracing } from './tracing.ts';

export interface HeadPlace { readonly site: string; readonly head: number; readonly batch: number }

export interface TraceEditor extends vscode.CustomReadonlyEditorProvider<TraceDocument> {
  /** Brings the editor of a trace file to the front, or opens one, and shows the head there. */
  reveal(file: string, place: HeadPlace): Promise<void>;
  /** Analysis is gone for this reason; undefined: there is a new one. */
  engineLost(reason: string | undefined): void;
  /** Traces the model of `file` again on the same prompt. Returns the new trace. */
  again(file: string): Promise<string | undefined>;
  /** The trace that is looked at. */
  readonly active: string | undefined;
}
interface TraceDocument extends vscode.CustomDocument { readonly lease: TraceLease }
/** `lost`: why the engine that this panel talked to is gone. */
interface Panel { readonly view: vscode.WebviewPanel; readonly events: Client<PanelEvents>; readonly file: string; lost: string | undefined }
interface Around { readonly context: vscode.ExtensionContext; readonly analysis: () => Promise<Client<AnalysisApi>>; readonly restart: () => Promise<void>; readonly openTraces: OpenTraces; readonly traces: LiveTraces; readonly links: SourceLinks; readonly session: Session; readonly tracing: Tracing }

export function createTraceEditor(around: Around): TraceEditor {
  const { context, analysis, openTraces, traces, links, session, tracing } = around, panels = new Set<Panel>(), toReveal = new Map<string, HeadPlace>(), dist = vscode.Uri.joinPath(context.extensionUri, 'dist');
  let active: string | undefined;
  const tellAll = (): void => { for (const panel of panels) tell(panel.events.changed({})); };
  context.subscriptions.push(traces.onDidChange(tellAll));

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
    const open = await document.lease.open(), stale = await traces.staleOf(open), reveal = toReveal.get(document.uri.fsPath);
    toReveal.delete(document.uri.fsPath);
    const found = await links.linksOf(open);
    return { open, ...(stale ? { stale } : {}), ...(reveal ? { reveal } : {}), sources: Object.fromEntries(found.flatMap(link => (link.path === undefined ? [] : [[link.site, `${basename(link.path)}:${(link.line ?? link.classRange?.start.line ?? 0) + 1}`]]))) };
  };

  return {
    get active() { return active; },
    again,
    openCustomDocument: uri => { const lease = openTraces.lease(uri.fsPath); return { uri, lease, dispose: () => lease.dispose() }; },
    reveal: async (file, place) => {
      const shown = [...panels].filter(panel => panel.file === file), visible = shown.find(panel => panel.view.visible);
      if (visible) { visible.view.reveal(); tell(visible.events.reveal(place)); return; }
      // A hidden panel has no page: the next one asks for its state and is told.
      toReveal.set(file, place);
      if (shown.length) shown[0].view.reveal();
      else await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false });
    },
    engineLost: reason => {
      for (const panel of panels) panel.lost = reason;
      openTraces.reset();
      tellAll();
    },
    resolveCustomEditor: (document, panel) => {
      const { webview } = panel, file = document.uri.fsPath, nonce = randomBytes(18).toString('base64url');
      webview.options = { enableScripts: true, localResourceRoots: [dist] };
      const listeners: ((message: unknown) => void)[] = [];
      let closed: (reason: string) => void = () => undefined;
      const port: Port = {
        post: message => void webview.postMessage({ to: 'panel', message }),
        listen: on => listeners.push(on),
        closed: new Promise(resolve => { closed = resolve; }),
      };
      webview.onDidReceiveMessage((envelope: { to?: unknown; message?: unknown } | undefined) => { if (envelope?.to === 'host') for (const on of listeners) on(envelope.message); });
      const mine: Panel = { view: panel, events: connect<PanelEvents>(port), file, lost: undefined };
      panels.add(mine);
      const forward = <K extends 'tile' | 'thumbnails' | 'rows'>(name: K) => async (request: Parameters<AnalysisApi[K]>[0], { signal }: { signal: AbortSignal }) => {
        if (mine.lost !== undefined) throw new PeerGone(mine.lost);
        return ((await analysis())[name] as (asked: unknown, options: unknown) => Promise<ReturnType<AnalysisApi[K]>>)(request, { signal });
      };
      serve<PanelApi>(port, {
        tile: forward('tile'), thumbnails: forward('thumbnails'), rows: forward('rows'),
        state: () => state(document, mine),
        revealSource: async ({ site }) => { await links.reveal(await document.lease.open(), site); },
        retrace: async () => { await again(file); },
        restartEngine: () => around.restart(),
        saveImage: ({ name, png }) => saveImage(file, name, png),
      });
      const look = (): void => { if (panel.active) active = file; else if (active === file) active = undefined; };
      look();
      panel.onDidChangeViewState(look);
      panel.onDidDispose(() => { panels.delete(mine); if (active === file) active = undefined; closed('The editor was closed.'); });
      const asset = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
      webview.html = panelPage({ script: asset('webview.js'), style: asset('webview.css'), source: webview.cspSource, nonce, title: basename(file) });
    },
  };
}

/** A page that is hidden or closed does not answer; nothing depends on it. */
function tell(call: Promise<unknown>): void { call.catch(() => undefined); }

async function saveImage(trace: string, name: string, png: Uint8Array): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? dirname(trace);
  const chosen = await vscode.window.showSaveDialog({ title: 'Save Image', defaultUri: vscode.Uri.file(join(folder, name.replace(/[^\w.-]+/g, '_'))), filters: { Image: ['png'] } });
  if (chosen) await writeFile(chosen.fsPath, png);
}
