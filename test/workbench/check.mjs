/** `npm start -- --check`: clicks the lens in a real workbench, reads what the page shows, prints it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBrowser } from '../bed/browser.mjs';
import { startCodeServer } from '../bed/code-server.mjs';
import { copyDemo } from '../bed/demo.mjs';
import { results, say } from '../bed/run.mjs';
import { notifications, openWorkbench } from '../bed/workbench.mjs';
import { answerQuestions, lensOverAttention, mapOf, overview, readOverview } from './steps.mjs';

/** Returns the exit code; a failure prints one sentence and where the screenshot is. */
export async function checkDemo(vsix, env) {
  // Outside of the checkout, so that nothing of the checkout can stand in for what the package lacks.
  const home = mkdtempSync(join(tmpdir(), 'attnscope-check-'));
  const picture = join(results, 'check.png');
  mkdirSync(results, { recursive: true });
  let server;
  let opened;
  try {
    server = await startCodeServer({ workspace: copyDemo(join(home, 'demo')), home, vsix: [vsix], env });
    opened = await openBrowser();
    await openWorkbench(opened.page, server.url);
    await report(opened.page);
    await opened.page.screenshot({ path: picture });
    return 0;
  } catch (error) {
    await opened?.page.screenshot({ path: picture }).catch(() => undefined);
    const shown = opened ? await notifications(opened.page).catch(() => []) : [];
    say(`The check failed: ${error.message.split('\n')[0]}${shown.length > 0 ? ` VS Code showed: ${shown.join(' | ')}` : ''} Screenshot: ${picture}`);
    return 1;
  } finally {
    await opened?.browser.close();
    await server?.stop();
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  }
}

async function report(page) {
  const lens = await lensOverAttention(page, 'Trace Attention');
  await lens.click();
  await answerQuestions(page);
  const start = performance.now();
  const frame = await overview(page);
  const overviewMs = performance.now() - start;
  const shown = await readOverview(frame);
  if (shown.parity.level !== 'ok') throw new Error(`The parity badge is ${shown.parity.level}: ${shown.parity.text}.`);
  if (shown.next.length !== 5) throw new Error(`The page shows ${shown.next.length} next tokens, not 5.`);
  const sinks = shown.heads.toSorted((a, b) => b.sink - a.sink).slice(0, 5);
  await frame.locator(`[data-testid="head-cell"][data-label="${sinks[0].label}"]`).click();
  await mapOf(frame, `blocks.${sinks[0].row}.attn`, /H(\d+)$/.exec(sinks[0].label)[1]);
  say(`prompt: ${shown.prompt}`);
  say(`sites: ${shown.sites}`);
  say(`parity: ${shown.parity.text}`);
  say(`strongest sink heads: ${sinks.map(head => `${head.label} ${(head.sink * 100).toFixed(1)} %`).join(', ')}`);
  say(`next tokens: ${shown.next.map(({ token, probability }) => `${JSON.stringify(token)} ${(probability * 100).toFixed(1)} %`).join(', ')}`);
  say(`from the click that started the trace to the first maps: ${(overviewMs / 1000).toFixed(1)} s`);
}
