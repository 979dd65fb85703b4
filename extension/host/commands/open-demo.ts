/** Open Demo…: a copy of the demo workspace that may be changed, in a window of its own. */
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { Handler } from './handler.ts';

export const openDemo: Handler = async host => {
  const from = join(host.context.extensionPath, 'media', 'demo'), to = join(host.context.globalStorageUri.fsPath, 'demo');
  if (!existsSync(to)) {
    // Whole or absent: a copy that was interrupted must not count as the demo.
    const part = `${to}.part`;
    await rm(part, { recursive: true, force: true });
    await mkdir(part, { recursive: true });
    await cp(from, part, { recursive: true, filter: path => !/[\\/](train|__pycache__)$/.test(path) });
    await rename(part, to);
  }
  await vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.file(to), { forceNewWindow: vscode.workspace.workspaceFolders !== undefined });
};
