/** Open Head: shows one head of a trace; links in hovers lead here. */
import * as vscode from 'vscode';
import { traceEditor } from '../manifest/contributions.ts';
import type { Handler } from './handler.ts';

export const openHead: Handler = async (host, argument) => {
  const { trace, site, head, batch } = (argument ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof trace !== 'string' || typeof site !== 'string' || typeof head !== 'number' || !trace.endsWith('.attntrace')) return;
  host.editor.reveal(trace, { site, head, batch: typeof batch === 'number' ? batch : 0 });
  await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(trace), traceEditor, { preview: false });
};
