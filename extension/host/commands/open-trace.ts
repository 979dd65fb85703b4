/** Open Trace…: the one it is called on, the latest ones, those of the workspace, or any file. */
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { promptTitle } from '../prompts.ts';
import { showTrace } from '../show-trace.ts';
import { traceFiles } from './argument.ts';
import type { Handler } from './handler.ts';

const mostFound = 200;

export const openTrace: Handler = async (host, argument) => {
  const [given] = traceFiles(argument);
  if (given !== undefined) { await showTrace(given); return; }
  const known = host.session.latest(), found = (await vscode.workspace.findFiles('**/*.attntrace', '**/{node_modules,.git}/**', mostFound)).map(uri => uri.fsPath);
  const when = (file: string): number => { try { return statSync(file).mtimeMs; } catch { return 0; } };
  const files = [...new Set([...known.map(trace => trace.file), ...found])].map(file => ({ file, at: when(file) })).filter(({ at }) => at > 0).sort((a, b) => b.at - a.at);
  const browse = { label: '$(folder-opened) Browse…', file: undefined };
  const items = files.map(({ file, at }) => {
    const trace = known.find(one => one.file === file);
    return { label: basename(file), description: new Date(at).toLocaleString(), detail: trace ? `${promptTitle(trace.prompt)} · ${basename(trace.model)}` : vscode.workspace.asRelativePath(dirname(file)), file };
  });
  const picked = await vscode.window.showQuickPick([...items, browse], { title: 'Open Trace', placeHolder: items.length ? 'Newest first' : 'No traces yet: choose a file', matchOnDetail: true });
  const file = picked === browse ? (await vscode.window.showOpenDialog({ title: 'Open Trace', filters: { 'Attention trace': ['attntrace'] } }))?.[0]?.fsPath : picked?.file;
  if (file) await showTrace(file);
};
