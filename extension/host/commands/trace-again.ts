/** Trace Again: the same model on the same prompt, for the trace named, looked at, or made last. */
import * as vscode from 'vscode';
import type { Handler } from './handler.ts';

export const traceAgain: Handler = async (host, argument) => {
  const file = typeof argument === 'string' ? argument : argument instanceof vscode.Uri ? argument.fsPath : host.editor.active ?? host.session.latest()[0]?.file;
  return file === undefined ? host.tracing.trace({}) : host.editor.again(file);
};
