import { mkdtempSync, existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBrowser } from '../bed/browser.mjs';
import { ensureCodeServer, startCodeServer } from '../bed/code-server.mjs';
import { copyDemo, attentionLine } from '../bed/demo.mjs';
import { packVsix } from '../bed/vsix.mjs';
import { openWorkbench, openFile, goToLine, lens, webviewFrame, runCommand, hoverToken } from '../bed/workbench.mjs';
const vsix = await packVsix({ target: 'linux-x64' });
const home = mkdtempSync(join(tmpdir(), 'look-'));
const server = await startCodeServer({ workspace: copyDemo(join(home, 'demo')), home, vsix: [vsix], env: { VK_ICD_FILENAMES: '/usr/lib/chromium/vk_swiftshader_icd.json' } });
const lines = [];
const { browser, page } = await openBrowser({ console: l => lines.push(l) });
const shot = n => page.screenshot({ path: `/tmp/w-${n}.png` });
try {
  await openWorkbench(page, server.url); page.setDefaultTimeout(12000);
  await openFile(page, 'model.py');
  await goToLine(page, attentionLine() + 10); await goToLine(page, attentionLine());
  const l = lens(page, 'Trace Attention'); await l.waitFor({ timeout: 40000 });
  await shot('lens');
  await l.click();
  await page.waitForTimeout(1500); await shot('ask1');
  await page.keyboard.press('Enter'); await page.waitForTimeout(1500); await shot('ask2');
  const t0 = Date.now(); await page.keyboard.press('Enter');
  await page.waitForTimeout(400); await shot('progress');
  const frame = await webviewFrame(page, '[data-testid="head-cell"][data-ready="true"]');
  console.log('to first map', Date.now() - t0);
  await page.waitForTimeout(700); await shot('overview');
  await frame.locator('[data-label="L4H7"]').click(); await page.waitForTimeout(1500); await shot('attention');
  await openFile(page, 'model.py'); await goToLine(page, attentionLine());
  await lens(page, 'sink heads').waitFor({ timeout: 20000 }); await shot('measured');
  await page.mouse.move(5,5); await page.locator('.view-line span:text-is("Attention")').first().hover(); const h = page.locator('.monaco-hover:not(.hidden) .hover-contents').first(); await h.waitFor(); await page.waitForTimeout(800); await shot('hover');
  console.log((await h.innerText()).slice(0, 500)); await goToLine(page, 120); await page.mouse.move(5,5); await page.locator('.view-line span:text-is("attn")').first().hover(); await page.waitForTimeout(1500); await shot('hover2');
} catch (e) { console.log('FAIL', e.message); await shot('fail'); }
console.log(lines.filter(l => /Content Security|uncaught|attnscope/i.test(l)).slice(0, 10).join('\n'));
const { execSync } = await import('node:child_process');
try { console.log(execSync(`find ${home} -name '*AttnScope*.log' -o -name 'remoteexthost.log' | xargs tail -n 15`).toString().slice(-3500)); } catch {}
await browser.close(); await server.stop();
