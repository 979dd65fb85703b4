/** Sets a context key of the table, which menus and views read. */
import * as vscode from 'vscode';
import type { ContextKey } from './manifest/context-keys.ts';

export function setContext(key: ContextKey, value: boolean): void { void vscode.commands.executeCommand('setContext', key, value); }
