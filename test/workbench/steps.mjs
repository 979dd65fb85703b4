/** The steps that the walk and `npm start -- --check` share: from the lens in model.py to what a trace shows. */
import { attentionLine } from '../bed/demo.mjs';
import { goToLine, lens, openFile, runCommand, webviewFrame } from '../bed/workbench.mjs';

export const prompt = 'Anna gave the lantern to Boris. Then Boris gave the lantern to';

/** Opens model.py at its attention class and resolves with the lens over it. */
export async function lensOverAttention(page, text) {
  await openFile(page, 'model.py');
  await goToLine(page, attentionLine() + 2);
  const found = lens(page, text);
  await found.waitFor({ timeout: 60_000 });
  return found;
}

/** Answers the two questions: the demo's plain export, and `text` (what is offered, when not given). Resolves when the last Enter was pressed. */
export async function answerQuestions(page, text) {
  const title = page.locator('.quick-input-title');
  await title.filter({ hasText: 'model' }).waitFor();
  await page.locator('.quick-input-list .monaco-list-row', { hasText: /^model\.onnx/ }).first().click();
  await title.filter({ hasText: 'prompt' }).waitFor();
  if (text !== undefined) await page.locator('.quick-input-widget input').first().fill(text);
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
  await page.keyboard.press('Enter');
}

/** The trace editor's document, once every thumbnail on the screen is drawn. */
export async function overview(page) {
  const frame = await webviewFrame(page, '[data-testid="head-grid"]');
  // Below the fold (a terminal may be open) nothing is drawn.
  await frame.locator('[data-testid="head-cell"]').first().scrollIntoViewIfNeeded();
  await frame.locator('[data-testid="head-cell"][data-ready]').first().waitFor();
  return frame;
}

/** What the Overview says, read from the page. */
export async function readOverview(frame) {
  const texts = testid => frame.locator(`[data-testid="${testid}"]`).allInnerTexts();
  const heads = await frame.locator('[data-testid="head-cell"]').evaluateAll(cells => cells.map(cell => ({ label: cell.dataset.label, row: Number(cell.dataset.row), sink: Number(cell.dataset.sink), ready: cell.dataset.ready === 'true' })));
  const badge = frame.locator('[data-testid="parity-badge"]');
  return {
    heads,
    sites: new Set(heads.map(head => head.row)).size,
    parity: { level: await badge.getAttribute('data-level'), text: (await badge.innerText()).trim() },
    verdicts: await texts('verdict'),
    next: await frame.locator('[data-testid="next-token"]').evaluateAll(items => items.map(item => ({ token: item.dataset.token, probability: Number(item.dataset.probability) }))),
    prompt: (await texts('prompt')).join(''),
  };
}

/** Waits until the map of the Attention tab shows this head, drawn. */
export async function mapOf(frame, site, head) {
  const map = frame.locator(`[data-testid="map"][data-ready="true"][data-site="${site}"][data-head="${head}"]`);
  await map.waitFor();
  return map;
}

const themes = { light: ['Light Modern', '.monaco-workbench.vs'], contrast: ['Dark High Contrast', '.monaco-workbench.hc-black'] };

/** Puts on the light theme or high contrast, as a person does. */
export async function wear(page, name) {
  const [theme, look] = themes[name];
  await runCommand(page, 'Preferences: Color Theme');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Modern' }).first().waitFor();
  await page.locator('.quick-input-widget input').first().fill(theme);
  await page.locator('.quick-input-list .monaco-list-row', { hasText: theme }).first().click();
  await page.locator(look).waitFor();
}
