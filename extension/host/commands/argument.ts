/** What a command was called on: rows of our views, files of the Explorer, or what is selected or looked at. Nothing is believed of it. */
import * as vscode from 'vscode';

/** The file that one argument means: a path, a URI, or a row that stands for a model, a folder or a trace. */
export function fileOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return argument;
  if (argument instanceof vscode.Uri) return argument.scheme === 'file' ? argument.fsPath : undefined;
  const { file, model } = (typeof argument === 'object' && argument !== null ? argument : {}) as Readonly<Record<string, unknown>>;
  return typeof file === 'string' ? file : typeof model === 'string' ? model : undefined;
}

/** Traces among several arguments, each once. */
export function traceFiles(...given: readonly unknown[]): string[] {
  const files = given.flatMap(one => (Array.isArray(one) ? one : [one])).map(fileOf).filter(file => file?.endsWith('.attntrace'));
  return [...new Set(files as string[])];
}
