/** What can be done with traces in their view: open the last one of a model, rename, delete, export, pin. */
import { constants } from 'node:fs';
import { copyFile, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { UserError } from '../../contract/errors.ts';
import { shorten } from '../prompts.ts';
import { showTrace } from '../show-trace.ts';
import { createdMs, nameProblem } from '../traces/trace-files.ts';
import { fileOf, traceFiles } from './argument.ts';
import type { Handler, Host } from './handler.ts';

/** Of the model given, or of any. */
export const openLastTrace: Handler = async (host, argument) => {
  const model = fileOf(argument);
  if (!host.library.entries.length) await host.library.refresh();
  const last = model === undefined ? host.library.entries.reduce<typeof host.library.entries[number] | undefined>((a, b) => (a && createdMs(a) >= createdMs(b) ? a : b), undefined) : host.library.newestOf(model);
  if (!last) throw new UserError(model === undefined ? 'There is no trace yet.' : `There is no trace of ${basename(model)} yet.`, 'Run AttnScope: Trace Attention.');
  await showTrace(last.file);
};

export const renameTrace: Handler = async (host, argument) => {
  const file = chosen(host, argument)[0];
  if (file === undefined) return;
  const stem = basename(file).replace(/\.attntrace$/, ''), beside = new Set((await readdir(dirname(file))).filter(name => name !== basename(file)).map(name => name.toLowerCase()));
  const typed = await vscode.window.showInputBox({ title: 'Rename Trace', value: stem, valueSelection: [0, stem.length], prompt: 'The trace is listed under this name.', validateInput: name => nameProblem(name, beside) });
  if (typed === undefined || typed.trim() === stem) return;
  const to = join(dirname(file), `${typed.trim()}.attntrace`), edit = new vscode.WorkspaceEdit();
  // An edit, not a plain rename: editors that show the trace follow it.
  edit.renameFile(vscode.Uri.file(file), vscode.Uri.file(to));
  if (!await vscode.workspace.applyEdit(edit)) throw new UserError(`${basename(file)} could not be renamed.`, 'Check that its folder may be written to.');
  host.session.rename(file, to);
  await host.library.refresh();
};

export const deleteTrace: Handler = async (host, argument, more) => {
  const files = chosen(host, more, argument);
  if (!files.length) return;
  const what = files.length === 1 ? `the trace “${shorten((host.library.entries.find(entry => entry.file === files[0])?.summary?.prompt ?? basename(files[0])).replace(/\s+/g, ' ').trim(), 60)}”` : `${files.length} traces`;
  // As the Explorer does: to the trash where there is one.
  const local = vscode.env.uiKind === vscode.UIKind.Desktop && vscode.env.remoteName === undefined;
  const trash = local && await confirmed(`Delete ${what}?`, `${names(files)}\n\nYou can restore ${files.length === 1 ? 'it' : 'them'} from the trash.`, 'Move to Trash');
  if (local && !trash) return;
  if (!local && !await confirmed(`Delete ${what} permanently?`, `${names(files)}\n\nThis cannot be undone.`, 'Delete')) return;
  for (const file of files) await remove(host, file, trash);
  await host.library.refresh();
};

export const exportTrace: Handler = async (host, argument, more) => {
  const files = chosen(host, more, argument), workspace = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (files.length === 1) {
    const name = basename(files[0]), to = await vscode.window.showSaveDialog({ title: 'Export Trace', defaultUri: workspace ? vscode.Uri.joinPath(workspace, name) : vscode.Uri.file(join(dirname(files[0]), name)), filters: { 'Attention trace': ['attntrace'], Safetensors: ['safetensors'] } });
    if (to) await copy(files[0], to.fsPath);
  } else if (files.length > 1) {
    const folder = (await vscode.window.showOpenDialog({ title: `Export ${files.length} Traces`, openLabel: 'Export Here', canSelectFiles: false, canSelectFolders: true, defaultUri: workspace }))?.[0];
    if (folder) for (const file of files) await copy(file, join(folder.fsPath, basename(file)), true);
  }
};

export const pinTrace: Handler = (host, argument, more) => pin(host, chosen(host, more, argument), true);
export const unpinTrace: Handler = (host, argument, more) => pin(host, chosen(host, more, argument), false);

export const refreshViews: Handler = async host => {
  await host.models.refresh();
  await host.library.refresh();
};

export const traceStorage: Handler = () => vscode.commands.executeCommand('workbench.action.openSettings', '@id:attnscope.traceFolder @id:attnscope.traceQuota @id:attnscope.storedType');

/** What the command was called on, else what is selected in the view, else the trace that is looked at. */
function chosen(host: Host, ...given: readonly unknown[]): string[] {
  for (const from of [given, [host.tracesView.selection], [host.editor.active]]) {
    const files = traceFiles(...from);
    if (files.length) return files;
  }
  return [];
}

async function pin(host: Host, files: readonly string[], on: boolean): Promise<void> {
  for (const file of files) host.session.pin(file, on);
  await host.library.refresh();
}

async function confirmed(message: string, detail: string, button: string): Promise<boolean> { return await vscode.window.showWarningMessage(message, { modal: true, detail }, button) === button; }

async function remove(host: Host, file: string, trash: boolean): Promise<void> {
  try { await vscode.workspace.fs.delete(vscode.Uri.file(file), { useTrash: trash }); } catch (error) {
    if (!trash || !await confirmed(`${basename(file)} cannot be moved to the trash. Delete it permanently?`, 'This cannot be undone.', 'Delete')) {
      if (!trash) throw new UserError(`${basename(file)} could not be deleted: ${error instanceof Error ? error.message : String(error)}.`, 'Check that it may be written to.');
      return;
    }
    await remove(host, file, false);
    return;
  }
  host.session.forget(file);
  const tabs = vscode.window.tabGroups.all.flatMap(group => group.tabs).filter(tab => tab.input instanceof vscode.TabInputCustom && tab.input.uri.fsPath === file);
  await vscode.window.tabGroups.close(tabs);
}

async function copy(from: string, to: string, careful = false): Promise<void> {
  if (from === to) return;
  // A save dialog has asked already whether to replace what is there; a folder has not.
  try { await copyFile(from, to, careful ? constants.COPYFILE_EXCL : 0); } catch (error) {
    throw new UserError(`${basename(from)} could not be copied to ${to}: ${(error as Error).message}.`, 'Choose another place.');
  }
}

function names(files: readonly string[]): string { return [...files.slice(0, 8).map(file => basename(file)), ...(files.length > 8 ? [`and ${files.length - 8} more`] : [])].join('\n'); }
