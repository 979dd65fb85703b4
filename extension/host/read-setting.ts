/** Reads one setting with the type that its row in the table gives it. */
import * as vscode from 'vscode';
import type { SettingId, Settings } from './manifest/settings.ts';
import { settings } from './manifest/settings.ts';

export function setting<K extends SettingId>(id: K): Settings[K] {
  return vscode.workspace.getConfiguration().get<Settings[K]>(id, settings[id].default as Settings[K]);
}
