/** Runs an export script in the terminal panel, and offers to trace what came out. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { CommandId } from './manifest/commands.ts';
import { byNearness } from './model-files.ts';
import { pythonFor } from './python-interpreter.ts';
import type { SourceRef } from './session.ts';

const elsewhere = '**/{node_modules,.git,.venv,venv,env,site-packages}/**', mostFound = 500;

/** A script on the disk, as its command line has to be known. */
export interface WrittenScript { readonly path: string; readonly weights: 'file' | 'folder'; /** The model that it writes. */ readonly output: string; readonly source: SourceRef }

/** Asks for the weights, runs the script with the workspace's Python, and resolves when that has begun; undefined: the user closed the list. */
export async function runExport(script: WrittenScript): Promise<void> {
  const given = await askWeights(script);
  if (!given) return;
  const folder = dirname(script.path), uri = vscode.Uri.file(script.path), python = await pythonFor(uri);
  // No shell reads the command: names with spaces and signs need no quoting.
  const task = new vscode.Task({ type: 'process' }, vscode.workspace.getWorkspaceFolder(uri) ?? vscode.TaskScope.Workspace, `Export to ONNX: ${basename(script.path)}`, 'AttnScope', new vscode.ProcessExecution(python, [basename(script.path), ...given], { cwd: folder }));
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, clear: true, panel: vscode.TaskPanelKind.Dedicated };
  let running: vscode.TaskExecution | undefined;
  const ended = vscode.tasks.onDidEndTaskProcess(event => {
    if (event.execution !== running) return;
    ended.dispose();
    void tell(event.exitCode, script);
  });
  try { running = await vscode.tasks.executeTask(task); } catch (error) { ended.dispose(); throw error; }
}

async function tell(exitCode: number | undefined, script: WrittenScript): Promise<void> {
  if (exitCode === undefined) return;
  if (exitCode !== 0 || !existsSync(script.output)) {
    void vscode.window.showWarningMessage(`${basename(script.path)} ended without a model. Its last line in the terminal says what is missing.`);
    return;
  }
  const trace = 'Trace Attention', answer = await vscode.window.showInformationMessage(`${vscode.workspace.asRelativePath(script.output)} is written and agrees with PyTorch.`, trace);
  if (answer === trace) await vscode.commands.executeCommand('attnscope.trace' satisfies CommandId, { model: script.output, source: script.source });
}

/** Arguments of the script: weights of the workspace, the nearest first, any others, or none. */
async function askWeights(script: WrittenScript): Promise<readonly string[] | undefined> {
  const found = (await vscode.workspace.findFiles('**/*.{safetensors,pt,pth,ckpt,bin}', elsewhere, mostFound)).filter(uri => uri.scheme === 'file').map(uri => uri.fsPath);
  const known = script.weights === 'file' ? found : [...new Set(found.map(path => dirname(path)))].filter(folder => existsSync(join(folder, 'config.json')));
  const items = byNearness(known, dirname(script.path)).map(path => ({ label: basename(path), description: vscode.workspace.asRelativePath(dirname(path)), path }));
  const browse = { label: '$(folder-opened) Browse…', description: script.weights === 'file' ? 'a state dict: .pt, .pth, .bin, .safetensors' : 'a folder with config.json and weights', path: undefined };
  const none = { label: '$(beaker) Untrained weights', description: 'to try the export; what the heads attend to means nothing', path: undefined };
  const picked = await vscode.window.showQuickPick([...items, browse, none], { title: 'Export to ONNX: weights', placeHolder: 'Which weights should the model have?', ignoreFocusOut: true, matchOnDescription: true });
  if (!picked) return undefined;
  if (picked === none) return ['--random'];
  const path = picked.path ?? (await vscode.window.showOpenDialog({ title: 'Weights of the model', canSelectFiles: script.weights === 'file', canSelectFolders: script.weights === 'folder', canSelectMany: false }))?.[0]?.fsPath;
  return path === undefined ? undefined : ['--weights', path];
}
