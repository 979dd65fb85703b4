/** `npm run demo:smollm2 -- --check`: a person's steps on SmolLM2 in a real workbench, in the dark and in the light; prints what the Overview says. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBrowser } from '../bed/browser.mjs';
import { startCodeServer } from '../bed/code-server.mjs';
import { results, say } from '../bed/run.mjs';
import { notifications, openWorkbench, rowMenu, webviewFrame } from '../bed/workbench.mjs';
import { overview, readOverview, wear } from '../workbench/steps.mjs';

export const question = 'What is the capital of France, and why is it famous?';
const layers = 30, heads = 9;

/** Returns the exit code; a failure prints one sentence and where the screenshot is. */
export async function checkModel(vsix, workspace, env) {
  const home = mkdtempSync(join(tmpdir(), 'attnscope-smollm2-')), picture = join(results, 'smollm2-dark.png');
  mkdirSync(results, { recursive: true });
  let server, opened;
  try {
    server = await startCodeServer({ workspace, home, vsix: [vsix], env, settings: { 'workbench.colorTheme': 'Dark Modern' } });
    opened = await openBrowser();
    const { page } = opened;
    await openWorkbench(page, server.url);
    const shown = await traceAsChat(page);
    judge(shown);
    report(shown);
    await page.screenshot({ path: picture });
    await showSinks(page, 'dark');
    await wear(page, 'light');
    await showSinks(page, 'light');
    return 0;
  } catch (error) {
    await opened?.page.screenshot({ path: picture }).catch(() => undefined);
    const told = opened ? await notifications(opened.page).catch(() => []) : [];
    say(`The check failed: ${error.message.split('\n')[0]}${told.length > 0 ? ` VS Code showed: ${told.join(' | ')}` : ''} Screenshot: ${picture}`);
    return 1;
  } finally {
    await opened?.browser.close();
    await server?.stop();
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  }
}

/** Explorer, context menu, the question as a chat message; resolves with what the Overview says. */
export async function traceAsChat(page) {
  const row = text => page.locator('.explorer-folders-view .monaco-list-row', { hasText: text }).first();
  // The icon in the activity bar is there when the commands are.
  await page.locator('.activitybar [aria-label*="AttnScope"]').first().waitFor();
  if (!await row(/^model\.onnx$/).isVisible()) await row(/^onnx$/).click();
  await rowMenu(page, row(/^model\.onnx$/), /^Trace Attention$/);
  await page.locator('.quick-input-title', { hasText: 'prompt' }).waitFor();
  await page.locator('.quick-input-widget input').first().fill(question);
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'As a chat message' }).first().click();
  // Two dozen tokens of a real model, on whatever machine this is.
  await webviewFrame(page, '[data-testid="head-grid"]', 300_000);
  return readOverview(await overview(page));
}

/** The bars of every layer must say what the sentences say: the first token in the middle layers, a later one before them. A click on one leads to its heads. */
async function showSinks(page, theme) {
  const frame = await overview(page), bars = frame.locator('[data-testid="sink-layer"]');
  const found = await bars.evaluateAll(all => all.map(one => ({ main: Number(one.dataset.main), second: Number(one.dataset.second) })));
  const mean = (from, to, of) => found.slice(from, to).reduce((sum, one) => sum + one[of], 0) / (to - from);
  if (found.length !== layers || !(mean(12, 20, 'main') > 0.4) || !(mean(4, 10, 'second') > 0.25) || !(mean(12, 20, 'second') < 0.1)) throw new Error(`The bars of the layers show ${JSON.stringify(found)}.`);
  await frame.locator('[data-testid="sinks"]').evaluate(element => element.scrollIntoView());
  await page.waitForTimeout(700);
  await page.screenshot({ path: join(results, `smollm2-sinks-${theme}.png`) });
  await bars.nth(4).click();
  await frame.locator('[data-testid="head-cell"][data-label="L4H0"]:focus[data-ready]').waitFor();
  await page.mouse.move(5, 5);
  await page.waitForTimeout(700);
  await page.screenshot({ path: join(results, `smollm2-heads-${theme}.png`) });
}

function judge({ heads: cells, parity, next, verdicts }) {
  if (cells.length !== layers * heads) throw new Error(`The Overview shows ${cells.length} heads, not ${layers * heads}.`);
  if (parity.level !== 'ok') throw new Error(`The parity badge is ${parity.level}: ${parity.text}.`);
  if (next.length !== 5) throw new Error(`The page shows ${next.length} next tokens, not 5.`);
  for (const [name, words] of [['first-token sinks', /% of heads .* put over 0\.3 .* position 0 /], ['a second sink', /^A second sink stands at position [1-9]/]]) if (!verdicts.some(one => words.test(one))) throw new Error(`No verdict names ${name}: ${verdicts.join(' | ')}`);
}

function report({ prompt, sites, parity, verdicts, heads: cells }) {
  const middle = cells.filter(({ row }) => row >= layers / 3 && row < layers * 2 / 3);
  say(`prompt: ${prompt}`);
  say(`sites: ${sites}`);
  say(`parity: ${parity.text}`);
  say(`middle layers: ${middle.filter(head => head.sink > 0.5).length} of ${middle.length} heads have a sink of more than half`);
  for (const verdict of verdicts) say(verdict.split('\n')[0]);
}
