/** Trace Attention: from the palette, a lens, a selection, or a model in the Explorer. */
import * as vscode from 'vscode';
import type { TraceArguments } from '../tracing.ts';
import type { Handler } from './handler.ts';

export const trace: Handler = (host, argument) => host.tracing.trace(argumentsOf(argument));

/** Asks again although model and prompt are remembered. */
export const traceWith: Handler = (host, argument) => host.tracing.trace({ ...argumentsOf(argument), ask: true });

function argumentsOf(argument: unknown): TraceArguments {
  if (argument instanceof vscode.Uri && argument.path.toLowerCase().endsWith('.onnx')) return { model: argument.fsPath };
  if (typeof argument === 'object' && argument !== null && !(argument instanceof vscode.Uri)) return argument as TraceArguments;
  const editor = vscode.window.activeTextEditor, selected = editor && !editor.selection.isEmpty ? editor.document.getText(editor.selection) : undefined;
  return selected?.trim() ? { prompt: selected } : {};
}
