/** `node test/workbench/pictures.mjs`: the walkthrough's pictures, taken of the product itself, in the dark and in the light, into media/walkthrough; to be looked at and committed. */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBrowser } from '../bed/browser.mjs';
import { ensureCodeServer, startCodeServer } from '../bed/code-server.mjs';
import { copyDemo } from '../bed/demo.mjs';
import { root, say } from '../bed/run.mjs';
import { ensureSystem, swiftshader } from '../bed/system.mjs';
import { packVsix } from '../bed/vsix.mjs';
import { lens, openWorkbench, runCommand, webviewFrame } from '../bed/workbench.mjs';
import { lensOverAttention, mapOf } from './steps.mjs';

/** The walkthrough shows its pictures about 450 pixels wide: little around what a step is about. */
const size = { width: 680, height: 500 };
const quiet = { 'workbench.activityBar.location': 'hidden', 'editor.stickyScroll.enabled': false, 'workbench.sideBar.location': 'right', 'editor.minimap.enabled': false, 'breadcrumbs.enabled': false, 'workbench.layoutControl.enabled': false, 'window.commandCenter': false };

await ensureSystem();
await ensureCodeServer();
const vsix = await packVsix();
for (const [ground, theme] of [['dark', 'Dark Modern'], ['light', 'Light Modern']]) {
  const home = mkdtempSync(join(tmpdir(), 'attnscope-pictures-'));
  let server, opened;
  try {
    server = await startCodeServer({ workspace: copyDemo(join(home, 'demo')), home, vsix: [vsix], env: { VK_ICD_FILENAMES: swiftshader }, settings: { ...quiet, 'workbench.colorTheme': theme } });
    opened = await openBrowser(size);
    await openWorkbench(opened.page, server.url);
    try { await take(opened.page, ground); } catch (error) { await opened.page.screenshot({ path: join(tmpdir(), 'attnscope-pictures-failed.png') }); throw error; }
  } finally {
    await opened?.browser.close();
    await server?.stop();
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  }
}

async function take(page, ground) {
  const folder = join(root, 'media/walkthrough');
  mkdirSync(folder, { recursive: true });
  const picture = async id => {
    // The pointer's own traces fade.
    await page.waitForTimeout(700);
    const path = join(folder, `${id}-${ground}.png`);
    await page.screenshot({ path });
    say(`${path}: ${(statSync(path).size / 1000).toFixed(0)} kB`);
  };
  await lensOverAttention(page, 'Trace Attention');
  await runCommand(page, 'View: Toggle Primary Side Bar Visibility');
  await lens(page, 'Trace Attention').waitFor();
  await picture('model');

  await lens(page, 'Trace Attention').click();
  const title = page.locator('.quick-input-title');
  await title.filter({ hasText: 'model' }).waitFor();
  await page.locator('.quick-input-list .monaco-list-row', { hasText: /^model\.onnx/ }).first().click();
  await title.filter({ hasText: 'prompt' }).waitFor();
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'trace this' }).first().waitFor();
  await picture('trace');

  await page.keyboard.press('Enter');
  const frame = await webviewFrame(page, '[data-testid="head-grid"]');
  await page.setViewportSize({ width: 760, height: 640 });
  // The second layer at the bottom: above it stay the first and the last of what stands out.
  await frame.locator('[data-testid="head-cell"][data-label="L2H0"]').scrollIntoViewIfNeeded();
  await frame.locator('[data-testid="head-cell"][data-label="L1H0"][data-ready]').waitFor();
  await picture('overview');

  await frame.locator('[data-testid="head-cell"][data-label="L4H7"]').scrollIntoViewIfNeeded();
  await frame.locator('[data-testid="head-cell"][data-label="L4H7"]').click();
  const map = await mapOf(frame, 'blocks.4.attn', 7), box = await map.boundingBox();
  await map.hover({ position: { x: box.width * 0.3, y: box.height * 0.7 } });
  await picture('head');
  await page.setViewportSize(size);

  await lensOverAttention(page, /\d+ sites/);
  await page.mouse.move(5, 5);
  await page.locator('.view-line span:text-is("Attention")').first().hover();
  await page.locator('.monaco-hover', { hasText: /L\d+H\d+/ }).filter({ visible: true }).first().waitFor();
  await picture('source');
}
