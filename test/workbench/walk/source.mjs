/** The walk through sources outside of the workspace's files: a modelling file of Hugging Face in the workspace's .venv, and the cells of a notebook. */
import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { results, root } from '../../bed/run.mjs';
import { goToLine, lens, openFile, openWorkbench } from '../../bed/workbench.mjs';
import { python } from '../../bed/venv.mjs';
import { overview, prompt, wear } from '../steps.mjs';

const ids = '3, 17, 42, 8, 17, 42, 9, 61';

/** A .venv with llama's modelling file as pip lays it out, the zoo's llama with its config.json, and the demo's model.py as a notebook. */
export function sourceWorkspace(workspace) {
  const lib = join(dirname(dirname(python)), 'lib'), installed = join(lib, readdirSync(lib).find(name => name.startsWith('python3')), 'site-packages/transformers/models/llama');
  const packages = join(workspace, '.venv/lib/python3.12/site-packages');
  mkdirSync(packages, { recursive: true });
  writeFileSync(join(workspace, '.venv/pyvenv.cfg'), 'home = /usr/bin\ninclude-system-site-packages = false\n');
  cpSync(installed, join(packages, 'transformers/models/llama'), { recursive: true });
  mkdirSync(join(workspace, 'llama'));
  cpSync(join(root, 'test/zoo/models/llama/sdpa-ts.onnx'), join(workspace, 'llama/model.onnx'));
  writeFileSync(join(workspace, 'llama/config.json'), JSON.stringify({ model_type: 'llama', architectures: ['LlamaForCausalLM'] }));
  const source = readFileSync(join(workspace, 'model.py'), 'utf8').replace(/^"""[\s\S]*?"""\n+/, ''), [imports, ...classes] = source.split(/\n(?=(?:@[^\n]+\n)?class )/);
  // The attention stands high, where it is on the screen.
  const cells = [imports, ...classes.toSorted((a, b) => Number(b.startsWith('class Attention')) - Number(a.startsWith('class Attention')))];
  rmSync(join(workspace, 'model.py'));
  writeFileSync(join(workspace, 'story.ipynb'), JSON.stringify({
    cells: cells.map(cell => ({ cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source: cell.trimEnd().split(/(?<=\n)/) })),
    metadata: { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' }, language_info: { name: 'python' } }, nbformat: 4, nbformat_minor: 5,
  }));
}

/** The steps as [name, work]; each stands on those before it. */
export function sourceCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `${name}.png`) });
  const modelling = join(server.workspace, '.venv/lib/python3.12/site-packages/transformers/models/llama/modeling_llama.py');
  const line = () => readFileSync(modelling, 'utf8').split('\n').findIndex(text => text.startsWith('class LlamaAttention')) + 1;
  const overAttention = async text => {
    await openFile(page, 'modeling_llama.py');
    await page.locator('.tab.active', { hasText: 'modeling_llama.py' }).waitFor();
    await goToLine(page, line() + 4);
    const found = lens(page, text);
    await found.waitFor({ timeout: 60_000 });
    return found;
  };
  const inNotebook = async text => {
    await openFile(page, 'story.ipynb');
    await page.locator('.cell-list-container, .notebookOverlay').first().waitFor({ timeout: 60_000 });
    await page.locator('.notebookOverlay .view-line', { hasText: /class\sAttention/ }).first().waitFor({ timeout: 30_000 });
    const found = page.locator('.notebookOverlay .codelens-decoration a', { hasText: text }).first();
    await found.waitFor({ timeout: 60_000 });
    return found;
  };
  const answer = async (folder, text) => {
    await page.locator('.quick-input-title').filter({ hasText: 'model' }).waitFor();
    await page.locator('.quick-input-list .monaco-list-row', { hasText: /^model\.onnx/ }).filter({ hasText: folder }).first().click();
    await page.locator('.quick-input-title').filter({ hasText: 'prompt' }).waitFor();
    await page.locator('.quick-input-widget input').first().fill(text);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
    await page.keyboard.press('Enter');
    await overview(page);
  };
  const hoverWord = async (row, word) => {
    await page.mouse.move(5, 5);
    await page.locator('.view-line', { hasText: row }).locator('span span', { hasText: word }).filter({ visible: true }).first().hover();
    const hover = page.locator('.monaco-hover', { hasText: /L\d+H\d+/ }).filter({ visible: true }).first();
    await hover.waitFor();
    return hover;
  };

  return [
    ['a modelling file of the .venv has a lens over its attention, and a click on it traces', async () => {
      await openWorkbench(page, server.url);
      await (await overAttention('Trace Attention')).click();
      await answer('llama', ids);
      assert.match(await (await overAttention(/\d+ sites/)).innerText(), /2 sites · \d+ sink heads? · parity \d/);
    }],
    ['the hover over the class has pictures, and says that config.json names the model', async () => {
      const hover = await hoverWord(/class\sLlamaAttention/, 'LlamaAttention');
      assert.equal(await hover.locator('img').count(), 8);
      assert.match(await hover.innerText(), /walked from class LlamaForCausalLM, which config\.json beside the model names/);
      await picture('source-1-installed-dark');
    }],
    ['a class in a notebook cell has a lens, and after a trace its own numbers', async () => {
      const offered = await inNotebook('Trace Attention');
      await picture('source-2-notebook-dark');
      await offered.click();
      await answer('storyteller', prompt);
      assert.match(await (await inNotebook(/\d+ sites/)).innerText(), /6 sites · \d+ sink heads? · parity \d/);
      await hoverWord(/class\sAttention/, 'Attention');
      await picture('source-3-measured-dark');
    }],
    ['the two models did not mix', async () => {
      // The notebook's lens, of 6 sites, is still on the page, behind the file: only the file's own reads so.
      await overAttention(/^2 sites/);
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await hoverWord(/class\sLlamaAttention/, 'LlamaAttention');
        await picture(`source-4-installed-${name}`);
      }
    }],
  ];
}
