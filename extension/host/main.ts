/** activate(): makes a few objects, registers them, done. */
import * as vscode from 'vscode';
import { registerCommands } from './commands/handlers.ts';
import { createEngine } from './engine.ts';
import { createHoverProvider } from './hover-provider.ts';
import { createLensProvider } from './lens-provider.ts';
import { createLiveTraces } from './live-traces.ts';
import { traceEditor } from './manifest/contributions.ts';
import { createOpenTraces } from './open-traces.ts';
import { createPythonSources } from './python-sources.ts';
import { openSession } from './session.ts';
import { createSourceLinks } from './source-links.ts';
import { createTraceEditor } from './trace-editor.ts';
import { createTracing } from './tracing.ts';

let stop: (() => Promise<void>) | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('AttnScope', { log: true });
  const engine = createEngine(context, log), session = openSession(context.workspaceState), openTraces = createOpenTraces(() => engine.analysis());
  const sources = createPythonSources(context, log), traces = createLiveTraces(session, openTraces, log), links = createSourceLinks(sources, traces), tracing = createTracing(context, engine, session, log);
  const editor = createTraceEditor({ context, analysis: () => engine.analysis(), restart: () => engine.restart(), openTraces, traces, links, session, tracing });
  const lenses = createLensProvider(sources, traces, links), python: vscode.DocumentSelector = { language: 'python', scheme: 'file' };
  stop = () => engine.dispose();
  context.subscriptions.push(
    log, sources, traces, tracing, lenses, engine.onDidLoseTraces(({ reason }) => editor.engineLost(reason)),
    vscode.languages.registerCodeLensProvider(python, lenses),
    vscode.languages.registerHoverProvider(python, createHoverProvider(links, () => engine.analysis())),
    vscode.window.registerCustomEditorProvider(traceEditor, editor, { supportsMultipleEditorsPerDocument: true, webviewOptions: { retainContextWhenHidden: false } }),
    ...registerCommands({ context, engine, session, tracing, editor, log }),
  );
}

export async function deactivate(): Promise<void> { await stop?.(); }
