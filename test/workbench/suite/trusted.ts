/** The product through VS Code's API, in a trusted workspace: lenses, hovers, traces, staleness, and an engine that may die. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { childrenOf, hoverAt, lensesOf, model, openModelSource, prompt, readManifest, tabsOf, trace, workspaceUri } from './demo.ts';
import { until, type Case } from './harness.ts';

/** VS Code's own limit for one hover. */
const hoverLimit = 100_000;
/** Enough for a run that can be interrupted: the demo's context is 1,024 tokens. */
const longPrompt = 'Anna gave the lantern to Boris. '.repeat(100);
let first: string;

async function measuredLens(): Promise<string> {
  const { document, classLine } = await openModelSource();
  const found = await until('a lens with what was measured', async () => (await lensesOf(document)).find(lens => lens.line <= classLine && lens.line >= classLine - 1 && /sites/.test(lens.title)));
  return found.title;
}

export const trustedCases: readonly Case[] = [
  { name: 'a lens stands over the attention class and over no other class', run: async () => {
    const { document, classLine } = await openModelSource();
    const lenses = await until('a lens', async () => { const all = (await lensesOf(document)).filter(lens => lens.command.command.startsWith('attnscope.')); return all.length > 0 ? all : undefined; });
    assert.ok(lenses.every(lens => lens.line === classLine), `lenses at ${lenses.map(lens => lens.line)}, the class at ${classLine}`);
    assert.ok(lenses.some(lens => /Trace Attention/.test(lens.title)), lenses.map(lens => lens.title).join());
  } },
  { name: 'the command traces, returns the file and opens it in its editor', run: async () => {
    first = await trace({ model, prompt });
    const manifest = readManifest(first);
    assert.deepEqual(manifest.sites.map(site => site.name), [0, 1, 2, 3, 4, 5].map(layer => `blocks.${layer}.attn`));
    assert.equal(manifest.input.text, prompt);
    for (const [site, parity] of Object.entries(manifest.parity)) assert.equal(parity.ok, true, `${site}: ${JSON.stringify(parity)}`);
    await until('the trace editor', () => tabsOf('attnscope.trace').find(path => path === first));
  } },
  { name: 'the engine runs on the Node that the package brings', run: async () => {
    assert.match(JSON.stringify(readManifest(first).runtime), /"v?24\.21\.0"/);
    assert.equal(existsSync(`${vscode.extensions.getExtension('attnscope.attnscope')!.extensionPath}/dist/node/bin/node`), true);
  } },
  { name: 'the lens then reads what was measured', run: async () => assert.match(await measuredLens(), /6 sites · \d+ sink heads? · parity \d/) },
  ...[['class Attention', 'Attention'], ['self.attn = Attention(config)', 'self.attn'], ['self.attn(self', 'self.attn']].map(([at, word]): Case => ({
    name: `a hover on "${at}" shows thumbnails, numbers and links to heads, and is short enough`, run: async () => {
      const { document } = await openModelSource();
      const text = await until('a hover', async () => { const found = await hoverAt(document, at, word); return /L\d+H\d+/.test(found) ? found : undefined; });
      assert.match(text, /data:image\//);
      assert.match(text, /command:attnscope\.openHead/);
      assert.ok(text.length < hoverLimit, `${text.length} characters`);
    },
  })),
  { name: 'a hover on a class that is no attention shows nothing of ours', run: async () => {
    const { document } = await openModelSource();
    assert.doesNotMatch(await hoverAt(document, 'class MLP'), /attnscope/);
  } },
  { name: 'touching the model makes lens and trace stale; one click traces again with the same prompt', run: async () => {
    const { document } = await openModelSource();
    utimesSync(model, new Date(), new Date());
    const lens = await until('a stale lens', async () => (await lensesOf(document)).find(each => /stale/i.test(each.title)));
    const again = await vscode.commands.executeCommand<string | undefined>(lens.command.command, ...lens.command.arguments ?? []);
    assert.ok(again && again !== first, `the click gave ${again}`);
    assert.equal(readManifest(again).input.text, prompt);
    await until('a fresh lens', async () => (await lensesOf(document)).some(each => /sites/.test(each.title) && !/stale/i.test(each.title)) || undefined);
  } },
  { name: 'a cancelled run answers within a second and leaves no file', run: async () => {
    const folder = dirname(first);
    const before = readdirSync(folder).sort();
    const running = vscode.commands.executeCommand<string | undefined>('attnscope.trace', { model, prompt: longPrompt });
    await new Promise(done => setTimeout(done, 250));
    const asked = Date.now();
    await vscode.commands.executeCommand('attnscope.cancel');
    assert.equal(await running, undefined);
    assert.ok(Date.now() - asked < 1000, `${Date.now() - asked} ms`);
    assert.deepEqual(readdirSync(folder).sort(), before);
  } },
  { name: 'a runner killed in mid-run fails that call only: no file is left, and the next trace works', run: async () => {
    const folder = dirname(first);
    const before = readdirSync(folder).sort();
    const running = vscode.commands.executeCommand<string | undefined>('attnscope.trace', { model, prompt: longPrompt });
    const pid = await until('a runner', () => childrenOf('runner.js')[0]);
    await new Promise(done => setTimeout(done, 250));
    process.kill(pid, 'SIGKILL');
    assert.equal(await running, undefined);
    assert.deepEqual(readdirSync(folder).sort(), before);
    assert.ok(await trace({ model, prompt }));
  } },
  { name: 'after Restart Engine both children are new, the open trace is still open, and tracing works', run: async () => {
    const before = [...childrenOf('runner.js'), ...childrenOf('analysis.js')];
    const open = tabsOf('attnscope.trace');
    await vscode.commands.executeCommand('attnscope.restartEngine');
    assert.ok(await trace({ model, prompt }));
    const after = [...childrenOf('runner.js'), ...childrenOf('analysis.js')];
    assert.equal(after.length, 2);
    assert.ok(after.every(pid => !before.includes(pid)), `${before} and then ${after}`);
    assert.ok(open.every(path => tabsOf('attnscope.trace').includes(path)));
  } },
  { name: 'what is no ONNX file is refused, and nothing is left', run: async () => {
    const bad = workspaceUri('bad.onnx').fsPath;
    writeFileSync(bad, 'this is text, not a model');
    const before = readdirSync(dirname(first)).sort();
    assert.equal(await vscode.commands.executeCommand('attnscope.trace', { model: bad, prompt: '1, 2, 3' }), undefined);
    assert.deepEqual(readdirSync(dirname(first)).sort(), before);
  } },
  { name: 'attnscope.engine.node: the Node that runs npm (20 in CI, where the host has 24) runs the engine too', run: async () => {
    const other = process.env.ATTNSCOPE_OTHER_NODE;
    assert.ok(other, 'ATTNSCOPE_OTHER_NODE names a Node of another major version');
    const settings = vscode.workspace.getConfiguration('attnscope');
    await settings.update('engine.node', other, vscode.ConfigurationTarget.Global);
    try {
      await vscode.commands.executeCommand('attnscope.restartEngine');
      const runtime = JSON.stringify(readManifest(await trace({ model, prompt })).runtime);
      assert.match(runtime, new RegExp(`"v?${process.env.ATTNSCOPE_OTHER_NODE_VERSION}"`));
    } finally {
      await settings.update('engine.node', undefined, vscode.ConfigurationTarget.Global);
      await vscode.commands.executeCommand('attnscope.restartEngine');
    }
  } },
  { name: 'the .onnx file of the Explorer is traced with the remembered prompt', run: async () => {
    const file = await vscode.commands.executeCommand<string | undefined>('attnscope.trace', vscode.Uri.file(model), [vscode.Uri.file(model)]);
    assert.ok(file && existsSync(file));
    assert.equal(readManifest(file).input.text, prompt);
  } },
  { name: 'analysis killed at seeded moments of a trace: the trace is whole all the same, or the folder is as before, and the next one works', run: async () => {
    const folder = dirname(first);
    for (const afterMs of [60, 350, 900]) {
      const before = readdirSync(folder);
      const pid = await until('analysis', () => childrenOf('analysis.js')[0]), running = vscode.commands.executeCommand<string | undefined>('attnscope.trace', { model, prompt: longPrompt });
      await new Promise(done => setTimeout(done, afterMs));
      process.kill(pid, 'SIGKILL');
      const file = await running, made = readdirSync(folder).filter(name => !before.includes(name));
      assert.deepEqual(made, file === undefined ? [] : [basename(file)]);
      if (file) assert.equal(readManifest(file).sites.length, 6);
      // Dying twice within half a minute is told to the person; a restart starts the count anew.
      await vscode.commands.executeCommand('attnscope.restartEngine');
    }
    assert.ok(await trace({ model, prompt }));
  } },
  { name: 'Copy Diagnostics: versions, runtime, settings, models and errors; no prompt', run: async () => {
    const text = await vscode.commands.executeCommand<string>('attnscope.copyDiagnostics');
    for (const part of [/AttnScope \d+\.\d+\.\d+/, /runner: .*node 24\.21\.0/, /adapter: \S/, /last run: cpu, .*onnxruntime 1\.30\.0/, /`attnscope\.codeLens`: `true`/, /`attnscope\.retraceOnChange`: `false`/, /Models found: [1-9]/, /storyteller\/model\.onnx/, /Last errors: [1-9]/]) assert.match(text, part);
    assert.doesNotMatch(text, /lantern|Boris/);
  } },
  { name: 'attnscope.retraceOnChange: a model that is written anew is traced again by itself with the same prompt; off, it is not', run: async () => {
    const folder = dirname(first), settings = vscode.workspace.getConfiguration('attnscope'), traces = (): string[] => readdirSync(folder).filter(name => name.endsWith('.attntrace'));
    await trace({ model, prompt });
    await settings.update('retraceOnChange', true, vscode.ConfigurationTarget.Global);
    try {
      const before = traces();
      // In two pieces, as exporters write.
      writeFileSync(model, readFileSync(model));
      await new Promise(done => setTimeout(done, 500));
      utimesSync(model, new Date(), new Date());
      const made = await until('a trace that nobody asked for', () => traces().find(name => !before.includes(name)));
      assert.equal(readManifest(join(folder, made)).input.text, prompt);
      // Once, and not again and again.
      await new Promise(done => setTimeout(done, 3_000));
      assert.equal(traces().length, before.length + 1);
    } finally { await settings.update('retraceOnChange', undefined, vscode.ConfigurationTarget.Global); }
    const after = traces();
    utimesSync(model, new Date(), new Date());
    await new Promise(done => setTimeout(done, 4_000));
    assert.deepEqual(traces(), after);
  } },
];
