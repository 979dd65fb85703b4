/** activate(): makes a few objects, registers them, done. */
import { join } from 'node:path';
import * as vscode from 'vscode';
import { registerCommands } from './commands/handlers.ts';
import { createComparePanels } from './compare-panel.ts';
import { createEngine } from './engine.ts';
import { createExportOffer } from './export-offer.ts';
import { createHoverProvider } from './hover-provider.ts';
import { createLensProvider } from './lens-provider.ts';
import { createLiveTraces } from './live-traces.ts';
import { comparePanel, traceEditor } from './manifest/contributions.ts';
import { createInspector } from './models/inspector.ts';
import { createModelsView } from './models/models-view.ts';
import { createWorkspaceModels } from './models/workspace-models.ts';
import { createOpenTraces } from './open-traces.ts';
import { createPythonEnvironments } from './python-environments.ts';
import { createPythonSources } from './python-sources.ts';
import { rememberErrors } from './recent-errors.ts';
import { createRetrace } from './retrace.ts';
import { openSession } from './session.ts';
import { setContext } from './set-context.ts';
import { createSourceLinks } from './source-links.ts';
import { createStatus } from './status.ts';
import { createTraceEditor } from './trace-editor.ts';
import { createTraceLibrary } from './traces/trace-library.ts';
import { createTracesView } from './traces/traces-view.ts';
import { createTracing } from './tracing.ts';

let stop: (() => Promise<void>) | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const { log, errors } = rememberErrors(vscode.window.createOutputChannel('AttnScope', { log: true })), status = createStatus();
  const engine = createEngine(context, log), session = openSession(context.workspaceState), openTraces = createOpenTraces(() => engine.analysis());
  const environments = createPythonEnvironments(log), sources = createPythonSources(environments, join(context.extensionPath, 'dist'), log), traces = createLiveTraces(session, openTraces, log), links = createSourceLinks(sources, traces);
  const models = createWorkspaceModels(log), inspector = createInspector(model => engine.sites(model), line => log.warn(line)), library = createTraceLibrary({ context, session, models, analysis: () => engine.analysis(), held: () => compare.files, log });
  const tracing = createTracing(context, engine, session, status, log, { found: async () => (await models.current()).groups.flatMap(group => group.models.map(model => model.path)), made: file => void library.makeRoom(file), openTraces });
  const tracesView = createTracesView(library);
  const retrace = createRetrace({ session, traces, tracing, status, log });
  const editor = createTraceEditor({ context, analysis: () => engine.analysis(), restart: () => engine.restart(), openTraces, traces, links, session, tracing });
  const compare = createComparePanels({ context, analysis: () => engine.analysis(), restart: () => engine.restart(), openTraces, editor });
  const offer = createExportOffer(models), lenses = createLensProvider(sources, traces, links, offer), python: vscode.DocumentSelector = [{ language: 'python', scheme: 'file' }, { language: 'python', scheme: 'vscode-notebook-cell' }];
  stop = () => engine.dispose();
  context.subscriptions.push(
    log, status, environments, sources, traces, retrace, tracing, lenses, models, library, tracesView, createModelsView({ models, inspector, library }), engine.onDidLoseTraces(({ reason }) => { editor.engineLost(reason); compare.engineLost(reason); }),
    vscode.languages.registerCodeLensProvider(python, lenses),
    vscode.languages.registerHoverProvider(python, createHoverProvider(links, () => engine.analysis())),
    vscode.window.registerCustomEditorProvider(traceEditor, editor, { supportsMultipleEditorsPerDocument: true, webviewOptions: { retainContextWhenHidden: false } }),
    vscode.window.registerWebviewPanelSerializer(comparePanel, compare),
    ...registerCommands({ context, engine, session, sources, tracing, retrace, status, editor, compare, models, library, tracesView, errors, log }),
  );
  setContext('attnscope.active', true);
  const traced = (): void => setContext('attnscope.traced', session.latest().length > 0);
  traced();
  context.subscriptions.push(session.onDidChange(traced));
}

export async function deactivate(): Promise<void> { await stop?.(); }
