/** Asks for the image that a vision model should look at: images of the workspace, the one that was used last first, or any other. */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { byNearness } from './model-files.ts';

const mostImages = 300;

/** Undefined: the user closed the list. */
export async function askImage(model: string, before: string | undefined): Promise<string | undefined> {
  const found = (await vscode.workspace.findFiles('**/*.{png,jpg,jpeg,PNG,JPG,JPEG}', '**/{node_modules,.git,.venv,venv,site-packages}/**', mostImages)).map(uri => uri.fsPath), last = before !== undefined && existsSync(before) ? before : undefined;
  const images = [...(last === undefined ? [] : [last]), ...byNearness(found, dirname(model)).filter(file => file !== last)], browse = { label: '$(folder-opened) Browse…', description: 'an image outside of this workspace', file: undefined };
  const picked = await vscode.window.showQuickPick([...images.map(file => ({ label: `$(file-media) ${basename(file)}`, description: [vscode.workspace.asRelativePath(dirname(file)), file === last ? 'used last' : ''].filter(Boolean).join(' · '), file })), browse], {
    title: `Trace Attention: image for ${basename(model)}`, matchOnDescription: true, ignoreFocusOut: true, placeHolder: images.length ? 'Which image should the model look at?' : 'There is no PNG or JPEG in this workspace: choose one elsewhere.',
  });
  if (picked !== browse) return picked?.file;
  const chosen = await vscode.window.showOpenDialog({ title: 'Image to look at', filters: { Image: ['png', 'jpg', 'jpeg'] }, canSelectMany: false });
  return chosen?.[0]?.fsPath;
}
