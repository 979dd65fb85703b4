/** What the API suite knows about the demo workspace: its files, and how to read what came out without our own reader. */
import { strict as assert } from 'node:assert';
import { closeSync, existsSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import * as vscode from 'vscode';

export const prompt = 'Anna gave the lantern to Boris. Then Boris gave the lantern to';

export function workspaceUri(...path: string[]): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (!folder) throw new Error('The suite needs the demo workspace.');
  return vscode.Uri.joinPath(folder.uri, ...path);
}

/** The demo's plain export. */
export const model = workspaceUri('storyteller', 'model.onnx').fsPath;

/** Traces by the command, as other extensions would; fails when no file came out. */
export async function trace(args: { readonly model: string; readonly prompt: string }): Promise<string> {
  const file = await vscode.commands.executeCommand<string | undefined>('attnscope.trace', args);
  assert.ok(file && existsSync(file), `attnscope.trace returned ${file}`);
  return file;
}

/** Paths that are open in custom editors of this type. */
export function tabsOf(viewType: string): string[] {
  return vscode.window.tabGroups.all.flatMap(group => group.tabs).flatMap(tab => tab.input instanceof vscode.TabInputCustom && tab.input.viewType === viewType ? [tab.input.uri.fsPath] : []);
}

/** Process ids of this extension host's children that run `script`, by /proc. */
export function childrenOf(script: string): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      const parent = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()!.split(' ')[1]);
      return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script);
    } catch { return false; }
  });
}

/** Opens model.py in front and returns it with the 0-based line of its attention class. */
export async function openModelSource(): Promise<{ readonly document: vscode.TextDocument; readonly classLine: number }> {
  const document = await vscode.workspace.openTextDocument(workspaceUri('model.py'));
  await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.One });
  const classLine = document.getText().split('\n').findIndex(line => /^class Attention\b/.test(line));
  return { document, classLine };
}

/** The manifest of a trace file: the string that safetensors keeps in its header. */
export function readManifest(file: string): Record<string, unknown> & { readonly sites: readonly { readonly name: string }[]; readonly runtime: Readonly<Record<string, string>>; readonly input: { readonly text?: string }; readonly parity: Readonly<Record<string, { readonly ok: boolean | null }>> } {
  const fd = openSync(file, 'r');
  try {
    const length = Buffer.alloc(8);
    readSync(fd, length, 0, 8, 0);
    const header = Buffer.alloc(Number(length.readBigUInt64LE()));
    readSync(fd, header, 0, header.byteLength, 8);
    return JSON.parse(JSON.parse(header.toString('utf8')).__metadata__.attnscope);
  } finally { closeSync(fd); }
}

/** All lenses of a document, resolved, as [line, title, command]. */
export async function lensesOf(document: vscode.TextDocument): Promise<readonly { readonly line: number; readonly title: string; readonly command: vscode.Command }[]> {
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', document.uri, 100);
  return lenses.flatMap(lens => lens.command ? [{ line: lens.range.start.line, title: lens.command.title, command: lens.command }] : []);
}

/** The text of every hover on the last letter of `word`, at the first place where `needle`, which holds it, stands. */
export async function hoverAt(document: vscode.TextDocument, needle: string, word = needle): Promise<string> {
  const at = document.getText().indexOf(needle);
  if (at < 0) throw new Error(`${document.fileName} has no ${needle}`);
  const position = document.positionAt(at + needle.indexOf(word) + word.length - 1);
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', document.uri, position);
  return hovers.flatMap(hover => hover.contents).map(content => typeof content === 'string' ? content : content.value).join('\n');
}
