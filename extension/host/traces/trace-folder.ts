/** Where new traces go: the workspace's own storage, or a folder of the user's choice. */
import { mkdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type * as vscode from 'vscode';
import { UserError } from '../../contract/errors.ts';
import { setting } from '../read-setting.ts';

/** Storage of the workspace, outside of its files; of the extension where no folder is open. */
export function storageFolder(context: Pick<vscode.ExtensionContext, 'storageUri' | 'globalStorageUri'>): string { return join((context.storageUri ?? context.globalStorageUri).fsPath, 'traces'); }

/** The folder of the setting; undefined where it names none. */
export function chosenFolder(): string | undefined {
  const chosen = setting('attnscope.traceFolder');
  return chosen && isAbsolute(chosen) ? chosen : undefined;
}

/** The folder that the next trace is written to; made when it is not there. Errors: `UserError`. */
export async function traceFolder(context: Pick<vscode.ExtensionContext, 'storageUri' | 'globalStorageUri'>): Promise<string> {
  const chosen = setting('attnscope.traceFolder');
  if (chosen && !isAbsolute(chosen)) throw new UserError(`The setting attnscope.traceFolder must be an absolute path; found "${chosen}".`, 'Correct it, or leave it empty.');
  const folder = chosen || storageFolder(context);
  try { await mkdir(folder, { recursive: true }); } catch (error) { throw new UserError(`The folder for traces cannot be made: ${(error as Error).message}.`, 'Check the setting attnscope.traceFolder.'); }
  return folder;
}
