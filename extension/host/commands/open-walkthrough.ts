/** Get Started: the walkthrough that package.json contributes. */
import * as vscode from 'vscode';
import { walkthroughId } from '../manifest/walkthrough.ts';
import type { Handler } from './handler.ts';

export const openWalkthrough: Handler = host => vscode.commands.executeCommand('workbench.action.openWalkthrough', `${host.context.extension.id}#${walkthroughId}`, false);
