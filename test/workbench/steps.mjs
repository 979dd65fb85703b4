/** The steps that the walk and `npm start -- --check` share: from the lens in model.py to the first map on the screen. */
import { attentionLine } from '../bed/demo.mjs';
import { goToLine, lens, openFile, webviewFrame } from '../bed/workbench.mjs';

/** Opens model.py at its attention class and resolves with the lens over it. */
export async function lensOverAttention(page, text) {
  await openFile(page, 'model.py');
  await goToLine(page, attentionLine() + 2);
  const found = lens(page, text);
  await found.waitFor({ timeout: 60_000 });
  return found;
}

/** Answers the two questions: the model that is offered first, and the prompt. */
export async function answerQuestions(page, prompt) {
  const title = page.locator('.quick-input-title');
  await title.filter({ hasText: 'model' }).waitFor();
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'model.onnx' }).first().click();
  await title.filter({ hasText: 'prompt' }).waitFor();
  await page.locator('.quick-input-widget input').first().fill(prompt);
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
  await page.keyboard.press('Enter');
}

/** The trace editor's document, once a head's thumbnail is drawn in it. */
export async function overviewFrame(page, timeoutMs = 30_000) {
  return webviewFrame(page, '[data-testid="grid"]', timeoutMs);
}
