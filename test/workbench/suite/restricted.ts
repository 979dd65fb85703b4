/** Restricted Mode: traces of a workspace that is not trusted can be opened and looked at; nothing runs. */
import { strict as assert } from 'node:assert';
import * as vscode from 'vscode';
import { childrenOf, model, openModelSource, prompt, tabsOf, workspaceUri } from './demo.ts';
import { until, type Case } from './harness.ts';

export const restrictedCases: readonly Case[] = [
  { name: 'the workspace is not trusted, and the extension is there all the same', run: async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    await openModelSource();
    const extension = vscode.extensions.getExtension('attnscope.attnscope');
    assert.ok(extension, 'the extension is disabled');
    await until('activation', () => extension.isActive || undefined);
  } },
  { name: 'tracing is refused and starts no runner', run: async () => {
    assert.equal(await vscode.commands.executeCommand('attnscope.trace', { model, prompt }), undefined);
    assert.deepEqual(childrenOf('runner.js'), []);
  } },
  { name: 'a trace that lies in the workspace opens', run: async () => {
    const uri = workspaceUri('kept.attntrace');
    await vscode.commands.executeCommand('vscode.open', uri);
    await until('the trace editor', () => tabsOf('attnscope.trace').find(path => path === uri.fsPath));
    await until('the analysis process', () => childrenOf('analysis.js').length > 0 || undefined);
    assert.deepEqual(childrenOf('runner.js'), []);
  } },
];
