/** The views: models of the workspace with sites and parity, traces with names, pins and a limit; and the question before a run that is large. */
import { strict as assert } from 'node:assert';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { results, root } from '../../bed/run.mjs';
import { openWorkbench, rowMenu, runCommand } from '../../bed/workbench.mjs';
import { overview, prompt, wear } from '../steps.mjs';

/** The steps as [name, work]; each stands on those before it. */
export function viewsCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `views-${name}.png`) });
  const view = name => page.locator('.pane', { has: page.locator(`.pane-header[aria-label^="${name}"]`) });
  const row = (name, text) => view(name).locator('.monaco-list-row', { hasText: text }).first();
  let titles = 0;
  /** Settings of the workspace, once the workbench has taken them: the title is one of them. */
  const set = async values => {
    const title = `walk ${++titles}`;
    mkdirSync(join(server.workspace, '.vscode'), { recursive: true });
    writeFileSync(join(server.workspace, '.vscode/settings.json'), JSON.stringify({ 'window.title': title, ...values }));
    await page.waitForFunction(wanted => document.title.includes(wanted), title);
  };
  const menu = (name, text, entry) => rowMenu(page, row(name, text), entry);
  /** Traces from the row of a model: `answers` comes between prompt and run. */
  const traceFrom = async (model, text, answers = async () => undefined) => {
    await menu('Models', model, 'Trace Attention With');
    await page.locator('.quick-input-title', { hasText: 'prompt' }).waitFor();
    await page.locator('.quick-input-widget input').first().fill(text);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
    await page.keyboard.press('Enter');
    await answers();
    await overview(page);
  };

  return [
    ['the Models view lists what the workspace holds, with sites, size and type', async () => {
      await openWorkbench(page, server.url);
      await page.locator('.activitybar .action-item a[aria-label^="AttnScope"]').click();
      await row('Models', 'model.onnx').filter({ hasText: /6 sites · 7\.\d MB · fp32/ }).waitFor({ timeout: 60_000 });
      await row('Models', 'model_cached.onnx').filter({ hasText: '6 sites' }).waitFor();
      await row('Models', 'storyteller').waitFor();
      // No row invites to wait: nothing was traced.
      assert.equal(await view('Traces').locator('.monaco-list-row').count(), 0);
    }],
    ['a model that comes and goes is listed and gone, by itself', async () => {
      const folder = join(server.workspace, 'exports');
      mkdirSync(folder);
      copyFileSync(join(root, 'test/zoo/models/gpt2/eager-ts.onnx'), join(folder, 'tiny-gpt2.onnx'));
      await row('Models', 'tiny-gpt2.onnx').filter({ hasText: '2 sites' }).waitFor();
      rmSync(folder, { recursive: true });
      await row('Models', 'tiny-gpt2.onnx').waitFor({ state: 'detached' });
    }],
    ['Trace Attention on a row traces; row and Traces view then say parity and total', async () => {
      await row('Models', 'model.onnx').hover();
      await row('Models', 'model.onnx').locator('.action-label[aria-label="Trace Attention"]').click();
      await page.locator('.quick-input-title', { hasText: 'prompt' }).waitFor();
      await page.locator('.quick-input-widget input').first().fill(prompt);
      await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
      await page.keyboard.press('Enter');
      await overview(page);
      await row('Models', 'model.onnx').filter({ hasText: /parity \d/ }).waitFor();
      await row('Traces', /“Anna gave/).filter({ hasText: /\d\d:\d\d · 1\d tokens · \d+ kB/ }).waitFor();
      await view('Traces').locator('.pane-header', { hasText: /\d+ kB of 5\.0 GB/ }).waitFor();
      await row('Models', 'model.onnx').click();
      await row('Models', 'blocks.5.attn').filter({ hasText: '8/4 heads × 32' }).waitFor();
      await picture('1-traced-dark');
    }],
    ['before a large run: what it takes, and the choice of fewer layers, which the trace then holds', async () => {
      // Every run is large now: the demo makes none that is.
      await set({ 'attnscope.largeTrace': 0 });
      await traceFrom('model.onnx', 'Boris found a key.', async () => {
        await page.locator('.quick-input-title', { hasText: /on \d+ tokens makes a file of about/ }).waitFor();
        await picture('2-question-dark');
        await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Keep fewer layers' }).click();
        const input = page.locator('.quick-input-widget input').first();
        await page.locator('.quick-input-title', { hasText: 'Layers to keep' }).waitFor();
        await input.fill('0-9');
        await page.locator('.quick-input-message', { hasText: 'no attention in layer 6' }).waitFor();
        await input.fill('1,3-4');
        await page.locator('.quick-input-message', { hasText: 'on disk' }).waitFor();
        await picture('3-layers-dark');
        await page.keyboard.press('Enter');
        await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Trace layers 1,3-4' }).first().click();
      });
      await row('Traces', '“Boris found a key.”').filter({ hasText: 'layers 1,3-4' }).waitFor();
      await set({ 'attnscope.largeTrace': 1 });
    }],
    ['a trace is pinned, renamed while it is open, and found again as the last one', async () => {
      await menu('Traces', /“Anna gave/, 'Pin');
      await row('Traces', /“Anna gave/).filter({ hasText: 'pinned' }).waitFor();
      await row('Traces', /“Boris found/).click();
      await page.keyboard.press('F2');
      await page.locator('.quick-input-title', { hasText: 'Rename Trace' }).waitFor();
      await page.locator('.quick-input-widget input').first().fill('three layers');
      await page.keyboard.press('Enter');
      await row('Traces', 'three layers').waitFor();
      await page.locator('.tab', { hasText: 'three layers.attntrace' }).waitFor();
      await overview(page);
      await menu('Models', 'model.onnx', 'Open Last Trace');
      await page.locator('.tab.active', { hasText: 'three layers.attntrace' }).waitFor();
      await picture('4-renamed-dark');
    }],
    ['over the limit the oldest go, but not the pinned one; it is said', async () => {
      const folder = storage(server);
      await traceFrom('model.onnx', 'The third one is not kept.');
      await row('Traces', '“The third one').waitFor();
      await runCommand(page, 'View: Close All Editors');
      await page.locator('.tab').first().waitFor({ state: 'detached' });
      assert.equal(readdirSync(folder).filter(name => name.endsWith('.attntrace')).length, 3);
      // Room for one of the three: the pinned one stays although it is the oldest.
      await set({ 'attnscope.traceQuota': 0.0006 });
      await page.locator('.notifications-toasts', { hasText: /deleted .* oldest trace/ }).waitFor();
      await picture('5-limit-dark');
      await row('Traces', 'three layers').waitFor({ state: 'detached' });
      await row('Traces', '“The third one').waitFor({ state: 'detached' });
      await row('Traces', /“Anna gave/).waitFor();
      await set({ 'attnscope.traceQuota': 5 });
    }],
    ['Delete asks, and closes the editor of what is gone', async () => {
      await row('Traces', /“Anna gave/).click();
      await overview(page);
      // The row still has the focus, as a file's in the Explorer.
      await page.keyboard.press('Delete');
      const dialog = page.locator('.monaco-dialog-box');
      await dialog.filter({ hasText: 'Delete the trace' }).waitFor();
      await picture('6-delete-dark');
      await dialog.locator('.monaco-button', { hasText: /^Delete/ }).click();
      await row('Traces', /“Anna gave/).waitFor({ state: 'detached' });
      await page.locator('.tab', { hasText: '.attntrace' }).waitFor({ state: 'detached' });
    }],
    ['the light theme and high contrast', async () => {
      await traceFrom('model.onnx', prompt);
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await row('Traces', /“Anna gave/).waitFor();
        await picture(`7-traced-${name}`);
      }
    }],
  ];
}

/** The workspace's own storage of traces. */
function storage(server) {
  const all = join(server.extensions, '../data/User/workspaceStorage');
  return readdirSync(all).map(name => join(all, name, 'attnscope.attnscope/traces')).find(folder => { try { return readdirSync(folder).length > 0; } catch { return false; } });
}
