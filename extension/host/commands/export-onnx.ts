/** Export to ONNX…: writes a script for the model around an attention class beside its source, opens it, and offers to run it. */
import { basename, dirname, join, relative, sep } from 'node:path';
import * as vscode from 'vscode';
import { UserError } from '../../contract/errors.ts';
import { attentionClasses } from '../../source/attention-classes.ts';
import { exportTargets } from '../../source/export-script/targets.ts';
import { exportScript, type ExportScript } from '../../source/export-script/write.ts';
import type { ClassRef, ModuleIndex } from '../../source/module-index.ts';
import { contains, type SourceDocument } from '../../source/python-module.ts';
import { runExport } from '../run-export.ts';
import type { SourceRef } from '../session.ts';
import type { Handler } from './handler.ts';

export const exportOnnx: Handler = async (host, argument) => {
  const asked = believed(argument), editor = vscode.window.activeTextEditor, uri = asked ? vscode.Uri.parse(asked.uri) : editor?.document.uri;
  if (uri?.scheme === 'vscode-notebook-cell') throw new UserError('A class in a notebook cannot be imported by a script.', 'Move the model into a .py file and export it from there.');
  if (uri?.scheme !== 'file') throw new UserError('There is no Python file to export a model from.', 'Open the file that defines the model.');
  const { documents, index } = await host.sources.all(), document = documents.find(one => one.path === uri.fsPath);
  if (!document) throw new UserError(`${basename(uri.fsPath)} could not be read as Python.`, 'The log says why: AttnScope: Show Log.');
  const attention = asked ? index.inDocument(document).find(ref => ref.cls.qualifiedName === asked.className) : await attentionAt(index, document, editor);
  if (!attention) return undefined;
  const model = await askTarget(exportTargets(index, attention), attention);
  if (!model) return undefined;
  const place = placeOf(model.document.path), script = exportScript(index, model, attention, place);
  const path = await write(join(place.folder, script.fileName), script.text);
  if (path === undefined) return undefined;
  await vscode.window.showTextDocument(vscode.Uri.file(path), { preview: false });
  void offerRun(path, script, { uri: vscode.Uri.file(attention.document.path).toString(), className: attention.cls.qualifiedName }).catch((error: unknown) => host.log.error(String(error)));
  return path;
};

function believed(argument: unknown): SourceRef | undefined {
  const source = typeof argument === 'object' && argument !== null ? (argument as { source?: Partial<SourceRef> }).source : undefined;
  return typeof source?.uri === 'string' && typeof source.className === 'string' ? { uri: source.uri, className: source.className } : undefined;
}

/** The attention class at the cursor, or the only one, or the one that is picked. */
async function attentionAt(index: ModuleIndex, document: SourceDocument, editor: vscode.TextEditor | undefined): Promise<ClassRef | undefined> {
  const found = attentionClasses([document], index).map(one => one.ref).filter(ref => ref.document === document);
  if (found.length === 0) throw new UserError(`${basename(document.path)} has no class that computes attention.`, 'Open the file that has one: its lens offers the export too.');
  const cursor = editor?.selection.active, here = cursor && found.find(ref => contains(ref.cls.range, { line: cursor.line, column: cursor.character }));
  if (here || found.length === 1) return here ?? found[0];
  return (await vscode.window.showQuickPick(found.map(ref => ({ label: ref.cls.qualifiedName, description: `line ${ref.cls.headerRange.start.line + 1}`, ref })), { title: 'Export to ONNX: attention', placeHolder: 'Whose model should be exported?' }))?.ref;
}

async function askTarget(targets: readonly ClassRef[], attention: ClassRef): Promise<ClassRef | undefined> {
  if (targets.length === 0) throw new UserError(`Neither ${attention.cls.qualifiedName} nor a class that builds it has a forward in the files of this workspace.`, 'Open the folder that holds the whole model.');
  if (targets.length === 1) return targets[0];
  const items = targets.map((ref, i) => ({ label: ref.cls.name, description: [basename(ref.document.path), i === 0 ? 'suggested' : ''].filter(Boolean).join(' · '), ref }));
  return (await vscode.window.showQuickPick(items, { title: 'Export to ONNX: model', placeHolder: `${attention.cls.qualifiedName} is part of several models. Which one should be exported?`, ignoreFocusOut: true }))?.ref;
}

/** Beside the source; for a source of an installed package at the top of the workspace, since nothing of ours belongs there. */
function placeOf(source: string): { readonly folder: string; readonly climb: number; readonly installedAs?: string } {
  const parts = source.split(/[\\/]/), packages = parts.findLastIndex(part => part === 'site-packages' || part === 'dist-packages');
  if (packages >= 0) {
    const top = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    if (top === undefined) throw new UserError(`${basename(source)} belongs to an installed package, and no folder is open to write a script into.`, 'Open a folder first.');
    return { folder: top, climb: 0, installedAs: parts.slice(packages + 1).join('.').replace(/\.py$/, '').replace(/\.__init__$/, '') };
  }
  const folder = dirname(source), workspace = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(source))?.uri.fsPath;
  const way = workspace === undefined ? '' : relative(workspace, folder);
  return { folder, climb: way === '' ? 0 : way.split(sep).length };
}

/** Path of what was written or was there already; undefined: the user did not want it. Nothing that differs is replaced without asking. */
async function write(path: string, text: string): Promise<string | undefined> {
  const bytes = Buffer.from(text), there = await vscode.workspace.fs.readFile(vscode.Uri.file(path)).then(Buffer.from, () => undefined);
  if (there?.equals(bytes)) return path;
  if (there) {
    const open = 'Open It', replace = 'Replace It';
    const answer = await vscode.window.showWarningMessage(`${basename(path)} exists and is not what AttnScope would write now.`, { modal: true, detail: 'Replacing it loses what was changed in it.' }, open, replace);
    if (answer === undefined) return undefined;
    if (answer === open) return path;
  }
  try { await vscode.workspace.fs.writeFile(vscode.Uri.file(path), bytes); } catch (error) { throw new UserError(`${path} could not be written: ${(error as Error).message}.`, 'Make the folder writable, or copy the source into one that is.'); }
  return path;
}

async function offerRun(path: string, script: ExportScript, source: SourceRef): Promise<void> {
  const command = `python ${basename(path)} --weights ${script.weights === 'folder' ? 'FOLDER' : 'FILE'}`;
  const run = 'Run in Terminal', copy = 'Copy Command', trusted = vscode.workspace.isTrusted;
  const answer = await vscode.window.showInformationMessage(`${basename(path)} exports the model and checks it against PyTorch: ${command}${trusted ? '' : '. It runs the workspace\'s code: trust the workspace to run it from here'}`, ...(trusted ? [run] : []), copy);
  if (answer === copy) await vscode.env.clipboard.writeText(command);
  if (answer === run) {
    // What runs is what is on the disk.
    for (const open of vscode.workspace.textDocuments) if (open.isDirty && [path, vscode.Uri.parse(source.uri).fsPath].includes(open.uri.fsPath)) await open.save();
    await runExport({ path, weights: script.weights, output: join(dirname(path), ...script.output.split('/')), source });
  }
}
