/** Code lenses over attention classes: an offer to trace, then what was measured, then that it is stale. */
import * as vscode from 'vscode';
import { lensesOf, type Lens, type TraceInfo } from '../source/lenses.ts';
import type { TextRange } from '../source/python-module.ts';
import type { ExportOffer } from './export-offer.ts';
import type { CommandId } from './manifest/commands.ts';
import { traceEditor } from './manifest/contributions.ts';
import type { LiveTrace, LiveTraces } from './live-traces.ts';
import type { PythonSources } from './python-sources.ts';
import { setting } from './read-setting.ts';
import type { SourceLinks } from './source-links.ts';
import type { TraceArguments } from './tracing.ts';

export function createLensProvider(sources: PythonSources, traces: LiveTraces, links: SourceLinks, offer: ExportOffer): vscode.CodeLensProvider & vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const subscriptions = [changed, sources.onDidChange(() => changed.fire()), traces.onDidChange(() => changed.fire()), offer.onDidChange(() => changed.fire()), vscode.workspace.onDidChangeConfiguration(event => { if (event.affectsConfiguration('attnscope.codeLens')) changed.fire(); })];
  return {
    onDidChangeCodeLenses: changed.event,
    provideCodeLenses: async document => {
      if (!setting('attnscope.codeLens')) return [];
      const linked = await links.of(document);
      if (!linked) return [];
      const { document: source, index, from, until } = linked, traces = linked.traces.map(({ links: found, live }) => ({ links: found, trace: traceInfo(live) }));
      const lenses = lensesOf(source, traces, index).filter(lens => lens.range.start.line >= from && lens.range.start.line < until);
      return (await Promise.all(lenses.map(async lens => {
        const own = lensCommands(lens, document, lens.of === undefined ? undefined : linked.traces[lens.of].live.latest.file), exported = await offer.of(lens, document, linked.traces.length > 0);
        return [...own, ...(exported ? [exported] : [])].map(command => new vscode.CodeLens(rangeOf(lens.range, from), command));
      }))).flat();
    },
    dispose: () => { for (const one of subscriptions) one.dispose(); },
  };
}

function lensCommands(lens: Lens, document: vscode.TextDocument, file: string | undefined): vscode.Command[] {
  // A cell's own URI does not outlive the window: its notebook's does.
  const source = { uri: document.uri.with({ scheme: 'file', fragment: '' }).toString(), className: lens.className };
  const trace = (title: string, args: TraceArguments, tooltip: string): vscode.Command => ({ title, tooltip, command: 'attnscope.trace' satisfies CommandId, arguments: [args] });
  const again: vscode.Command = { title: lens.kind === 'stale' ? lens.title : 'Trace again', tooltip: 'The same model on the same prompt', command: 'attnscope.traceAgain' satisfies CommandId, arguments: [file] };
  switch (lens.kind) {
    case 'trace': return [trace(lens.title, { source }, `Run the model once and see every head. Taken for attention: ${lens.why}.`)];
    case 'measured': return [{ title: lens.title, tooltip: 'Open the latest trace', command: 'vscode.openWith', arguments: [vscode.Uri.file(file!), traceEditor] }, again, trace('Another prompt…', { source, ask: true }, 'Choose model and prompt anew')];
    case 'stale': return [again, { title: 'Open the old trace', command: 'vscode.openWith', arguments: [vscode.Uri.file(file!), traceEditor] }];
  }
}

/** What lenses and hovers show of a trace. */
export function traceInfo({ open, stale }: LiveTrace): TraceInfo {
  return { heads: open.manifest.heads, parity: open.manifest.parity, ...(stale ? { stale: stale.replace(/ after this trace was made\.$/, '').replace(/\.$/, '') } : {}) };
}

/** `from`: the line of the parsed text that is the editor's first. */
export function rangeOf(range: TextRange, from = 0): vscode.Range { return new vscode.Range(range.start.line - from, range.start.column, range.end.line - from, range.end.column); }
