/** Opens a trace in its own editor. */
import * as vscode from 'vscode';
import { traceEditor } from './manifest/contributions.ts';

export async function showTrace(file: string): Promise<void> { await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.file(file), traceEditor, { preview: false }); }
