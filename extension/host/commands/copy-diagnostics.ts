/** Copy Diagnostics: gathers what a bug report needs and puts it on the clipboard. */
import { stat } from 'node:fs/promises';
import { arch, cpus, homedir, platform, release, totalmem } from 'node:os';
import * as vscode from 'vscode';
import { diagnosticsText, type Facts } from '../diagnostics.ts';
import { settings, type SettingId } from '../manifest/settings.ts';
import { hasTokenizer } from '../model-files.ts';
import { typedAs } from '../prompts.ts';
import { setting } from '../read-setting.ts';
import type { Handler, Host } from './handler.ts';

const mostModels = 500, mostShown = 20;
/** An engine that hangs is a reason to want the rest. */
const patienceMs = 10_000;

/** Returns the text, for other extensions and tests. */
export const copyDiagnostics: Handler = async host => {
  const prompts = [...host.session.prompts(), ...host.session.latest().map(trace => typedAs(trace.prompt))];
  const text = diagnosticsText(await gather(host), { home: homedir(), prompts });
  await vscode.env.clipboard.writeText(text);
  const show = 'Show';
  void vscode.window.showInformationMessage('Diagnostics are on the clipboard. They hold no prompts and no content of files.', show).then(async answer => {
    if (answer === show) await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'markdown', content: text }));
  });
  return text;
};

async function gather(host: Host): Promise<Facts> {
  const found = await vscode.workspace.findFiles('**/*.onnx', '**/{node_modules,.git,.venv,venv,env,site-packages}/**', mostModels);
  const models = found.filter(uri => uri.scheme === 'file').map(uri => uri.fsPath).sort(), adapter = await adapterOf(host), ranOn = host.status.last, configuration = vscode.workspace.getConfiguration();
  return {
    version: String((host.context.extension.packageJSON as { version?: unknown }).version),
    editor: { name: vscode.env.appName, version: vscode.version, host: vscode.env.appHost, ui: vscode.env.uiKind === vscode.UIKind.Web ? 'web' : 'desktop', ...(vscode.env.remoteName ? { remote: vscode.env.remoteName } : {}) },
    machine: { platform: platform(), arch: arch(), release: release(), cpus: cpus().length, cpu: cpus()[0]?.model ?? '', memoryBytes: totalmem(), node: process.versions.node },
    workspace: { folders: vscode.workspace.workspaceFolders?.length ?? 0, trusted: vscode.workspace.isTrusted },
    engine: { node: host.engine.node, processes: await host.engine.hellos(), adapter, ...(ranOn ? { lastRun: ranOn } : {}) },
    settings: (Object.keys(settings) as SettingId[]).map(id => ({ id, value: setting(id), changed: setting(id) !== configuration.inspect(id)?.defaultValue })),
    models: { total: models.length, shown: await Promise.all(models.slice(0, mostShown).map(async file => ({ path: vscode.workspace.asRelativePath(file), bytes: (await stat(file).catch(() => undefined))?.size, tokenizer: hasTokenizer(file) }))) },
    traces: host.session.latest().length,
    errors: host.errors.recent(),
  };
}

async function adapterOf(host: Host): Promise<string> {
  const asked = (async () => { const { webgpu, why } = await (await host.engine.analysis()).device({}); return webgpu ?? why ?? 'none'; })();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>(resolve => { timer = setTimeout(() => resolve(`the engine did not answer for ${patienceMs / 1000} s`), patienceMs); });
  try { return await Promise.race([asked.catch((error: unknown) => `unknown: ${error instanceof Error ? error.message : String(error)}`), late]); } finally { clearTimeout(timer); }
}
