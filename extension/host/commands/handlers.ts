/** Every command's handler; forgetting one is a compile error. */
import * as vscode from 'vscode';
import { showFailure } from '../failures.ts';
import type { CommandId } from '../manifest/commands.ts';
import { compareTraces } from './compare-traces.ts';
import { copyDiagnostics } from './copy-diagnostics.ts';
import { cancel, restartEngine, showLog } from './engine.ts';
import { exportOnnx } from './export-onnx.ts';
import { exportMap } from './export-map.ts';
import type { Handler, Host } from './handler.ts';
import { openDemo } from './open-demo.ts';
import { openHead } from './open-head.ts';
import { openTrace } from './open-trace.ts';
import { openWalkthrough } from './open-walkthrough.ts';
import { copyPath, revealFile } from './places.ts';
import { copyLink, followUri, openLink } from './view-link.ts';
import { trace, traceWith } from './trace.ts';
import { traceAgain } from './trace-again.ts';
import { deleteTrace, exportTrace, openLastTrace, pinTrace, refreshViews, renameTrace, traceStorage, unpinTrace } from './traces.ts';

const handlers: { readonly [K in CommandId]: Handler } = {
  'attnscope.trace': trace,
  'attnscope.traceWith': traceWith,
  'attnscope.traceAgain': traceAgain,
  'attnscope.cancel': cancel,
  'attnscope.openTrace': openTrace,
  'attnscope.openLastTrace': openLastTrace,
  'attnscope.renameTrace': renameTrace,
  'attnscope.deleteTrace': deleteTrace,
  'attnscope.exportTrace': exportTrace,
  'attnscope.pinTrace': pinTrace,
  'attnscope.unpinTrace': unpinTrace,
  'attnscope.revealFile': revealFile,
  'attnscope.copyPath': copyPath,
  'attnscope.refreshViews': refreshViews,
  'attnscope.traceStorage': traceStorage,
  'attnscope.compareTraces': compareTraces,
  'attnscope.openHead': openHead,
  'attnscope.exportOnnx': exportOnnx,
  'attnscope.exportMap': exportMap,
  'attnscope.copyLink': copyLink,
  'attnscope.openLink': openLink,
  'attnscope.openDemo': openDemo,
  'attnscope.showLog': showLog,
  'attnscope.restartEngine': restartEngine,
  'attnscope.copyDiagnostics': copyDiagnostics,
  'attnscope.openWalkthrough': openWalkthrough,
};

/** Registers all of them, and what opens our links; what they throw is shown where the user looks. */
export function registerCommands(host: Host): vscode.Disposable[] {
  const shown = async (work: () => unknown): Promise<unknown> => { try { return await work(); } catch (error) { void showFailure(error, host.log); return undefined; } };
  return [
    ...Object.entries(handlers).map(([id, handler]) => vscode.commands.registerCommand(id, (argument: unknown, more: unknown) => shown(() => handler(host, argument, more)))),
    vscode.window.registerUriHandler({ handleUri: async uri => { await shown(() => followUri(host, uri)); } }),
  ];
}
