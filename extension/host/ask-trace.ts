/** Asks for a trace: the latest ones, those of the workspace, or any file. */
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { promptTitle } from './prompts.ts';
import type { Session } from './session.ts';

const mostFound = 200;

/** Newest first; `without` is not offered. Undefined: the user closed the list. */
export async function askTrace(session: Session, asked: { readonly title: string; readonly placeHolder: string; readonly without?: string }): Promise<string | undefined> {
  const known = session.latest(), found = (await vscode.workspace.findFiles('**/*.attntrace', '**/{node_modules,.git}/**', mostFound)).map(uri => uri.fsPath);
  const when = (file: string): number => { try { return statSync(file).mtimeMs; } catch { return 0; } };
  const files = [...new Set([...known.map(trace => trace.file), ...found])].map(file => ({ file, at: when(file) })).filter(({ file, at }) => at > 0 && file !== asked.without).sort((a, b) => b.at - a.at);
  const browse = { label: '$(folder-opened) Browse…', file: undefined };
  const items = files.map(({ file, at }) => {
    const trace = known.find(one => one.file === file);
    return { label: basename(file), description: new Date(at).toLocaleString(), detail: trace ? `${promptTitle(trace.prompt)} · ${basename(trace.model)}` : vscode.workspace.asRelativePath(dirname(file)), file };
  });
  const picked = await vscode.window.showQuickPick([...items, browse], { title: asked.title, placeHolder: items.length ? asked.placeHolder : 'No traces yet: choose a file', matchOnDetail: true, ignoreFocusOut: true });
  return picked === browse ? (await vscode.window.showOpenDialog({ title: asked.title, filters: { 'Attention trace': ['attntrace'] } }))?.[0]?.fsPath : picked?.file;
}
