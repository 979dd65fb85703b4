/** Asks for the image or the sound that a model takes: those of the workspace, the one that was used last first, or any other. */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { byNearness } from './model-files.ts';

const kinds = {
  image: { word: 'image', question: 'Which image should the model look at?', files: 'PNG or JPEG', ends: ['png', 'jpg', 'jpeg'], icon: 'file-media' },
  sound: { word: 'sound', question: 'Which sound should the model hear?', files: 'WAV file', ends: ['wav'], icon: 'unmute' },
} as const;
const mostFound = 300;

/** The file; `before`: the one used last. Undefined: the user closed the list. */
export async function askMedia(kind: keyof typeof kinds, model: string, before: string | undefined): Promise<string | undefined> {
  const { word, question, files, ends, icon } = kinds[kind], pattern = `**/*.{${ends.flatMap(end => [end, end.toUpperCase()]).join(',')}}`;
  const found = (await vscode.workspace.findFiles(pattern, '**/{node_modules,.git,.venv,venv,site-packages}/**', mostFound)).map(uri => uri.fsPath), last = before !== undefined && existsSync(before) ? before : undefined;
  const offered = [...(last === undefined ? [] : [last]), ...byNearness(found, dirname(model)).filter(file => file !== last)], browse = { label: '$(folder-opened) Browse…', description: `${word === 'image' ? 'an image' : 'a sound'} outside of this workspace`, file: undefined };
  const picked = await vscode.window.showQuickPick([...offered.map(file => ({ label: `$(${icon}) ${basename(file)}`, description: [folderOf(file), file === last ? 'used last' : ''].filter(Boolean).join(' · '), file })), browse], {
    title: `Trace Attention: ${word} for ${basename(model)}`, matchOnDescription: true, ignoreFocusOut: true, placeHolder: offered.length ? question : `There is no ${files} in this workspace: choose one elsewhere.`,
  });
  if (picked !== browse) return picked?.file;
  const chosen = await vscode.window.showOpenDialog({ title: `Trace Attention: ${word} for ${basename(model)}`, filters: { [files]: [...ends] }, canSelectMany: false });
  return chosen?.[0]?.fsPath;
}

/** The folder within the workspace; nothing for one of its roots. */
function folderOf(file: string): string {
  const folder = dirname(file);
  return vscode.workspace.workspaceFolders?.some(root => root.uri.fsPath === folder) ? '' : vscode.workspace.asRelativePath(folder);
}
