/** Trace Attention: from the palette, a lens, a selection, or a model in the Explorer. */
import * as vscode from 'vscode';
import { isPrompt } from '../prompts.ts';
import { isKept, type SourceRef } from '../session.ts';
import type { TraceArguments } from '../tracing.ts';
import type { Handler } from './handler.ts';

export const trace: Handler = (host, argument) => host.tracing.trace(argumentsOf(argument));

/** Asks again although model and prompt are remembered. */
export const traceWith: Handler = (host, argument) => host.tracing.trace({ ...argumentsOf(argument), ask: true });

function argumentsOf(argument: unknown): TraceArguments {
  if (argument instanceof vscode.Uri && argument.path.toLowerCase().endsWith('.onnx')) return { model: argument.fsPath };
  if (typeof argument === 'object' && argument !== null && !(argument instanceof vscode.Uri)) return believed(argument as Readonly<Record<string, unknown>>);
  const editor = vscode.window.activeTextEditor, selected = editor && !editor.selection.isEmpty ? editor.document.getText(editor.selection) : undefined;
  return selected?.trim() ? { prompt: selected } : {};
}

/** Of what another extension or a lens sent, the parts that are what they should be. */
function believed({ model, prompt, source, ask, kept }: Readonly<Record<string, unknown>>): TraceArguments {
  const from = source as Partial<SourceRef> | undefined;
  return {
    ...(typeof model === 'string' ? { model } : {}),
    ...(typeof prompt === 'string' || isPrompt(prompt) ? { prompt } : {}),
    ...(typeof from?.uri === 'string' && typeof from.className === 'string' ? { source: { uri: from.uri, className: from.className } } : {}),
    ...(ask === true ? { ask } : {}),
    ...(isKept(kept) ? { kept } : {}),
  };
}
