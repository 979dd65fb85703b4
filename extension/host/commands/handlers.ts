/** Every command's handler; forgetting one is a compile error. */
import * as vscode from 'vscode';
import { showFailure } from '../failures.ts';
import type { CommandId } from '../manifest/commands.ts';
import { restartEngine, showLog } from './engine.ts';
import type { Handler, Host } from './handler.ts';
import { openDemo } from './open-demo.ts';
import { openHead } from './open-head.ts';
import { openTrace } from './open-trace.ts';
import { trace, traceWith } from './trace.ts';
import { traceAgain } from './trace-again.ts';

const handlers: { readonly [K in CommandId]: Handler } = {
  'attnscope.trace': trace,
  'attnscope.traceWith': traceWith,
  'attnscope.traceAgain': traceAgain,
  'attnscope.openTrace': openTrace,
  'attnscope.openHead': openHead,
  'attnscope.openDemo': openDemo,
  'attnscope.showLog': showLog,
  'attnscope.restartEngine': restartEngine,
};

/** Registers all of them; what they throw is shown where the user looks. */
export function registerCommands(host: Host): vscode.Disposable[] {
  return Object.entries(handlers).map(([id, handler]) => vscode.commands.registerCommand(id, async (argument: unknown) => {
    try { return await handler(host, argument); } catch (error) { void showFailure(error, host.log); return undefined; }
  }));
}
