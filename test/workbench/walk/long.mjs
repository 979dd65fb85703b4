/** The walk over a long trace (4,096 tokens): the map as a pooled picture, zoomed to single cells, searched, brushed, with the sink apart; in the dark, the light and high contrast. */
import { strict as assert } from 'node:assert';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { results } from '../../bed/run.mjs';
import { openFile, openWorkbench, webviewFrame } from '../../bed/workbench.mjs';
import { longTrace } from '../../long/make.mjs';
import { mapOf, wear } from '../steps.mjs';

export async function longWorkspace(workspace) { copyFileSync(await longTrace(4096), join(workspace, 'long.attntrace')); }

/** The steps as [name, work]; each stands on those before it. */
export function longCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `long-${name}.png`) });
  let frame;
  const at = testid => frame.locator(`[data-testid="${testid}"]`), spoken = text => at('spoken').filter({ hasText: text }).waitFor({ state: 'attached' });
  const drag = async (testid, from, to) => {
    const box = await at(testid).boundingBox(), rows = testid === 'ruler-rows', point = share => [box.x + (rows ? box.width / 2 : box.width * share), box.y + (rows ? box.height * share : box.height / 2)];
    await page.mouse.move(...point(from));
    await page.mouse.down();
    await page.mouse.move(...point((from + to) / 2));
    await page.mouse.move(...point(to));
    await page.mouse.up();
  };

  return [
    ['a trace of 4,096 tokens opens; a head is there as a pooled picture', async () => {
      await openWorkbench(page, server.url);
      // The Explorer is there before the extensions are.
      await page.locator('.activitybar .action-label[aria-label^="AttnScope"]').waitFor({ timeout: 60_000 });
      await openFile(page, 'long.attntrace');
      frame = await webviewFrame(page, '[data-testid="head-cell"]');
      await frame.locator('[data-testid="head-cell"][data-label="L1H0"]').click();
      await mapOf(frame, 'blocks.1.attn', 0);
      assert.match(await at('legend').innerText(), /largest of (8×8|16×16) cells/);
      await at('scale-picker').click();
      await at('scale-picker').locator('vscode-option', { hasText: 'Log' }).click();
      await picture('fitted-dark');
    }],
    ['the wheel sharpens it to single cells, and a hover names one', async () => {
      const map = await mapOf(frame, 'blocks.1.attn', 0), box = await map.boundingBox();
      await map.hover({ position: { x: box.width * 0.2, y: box.height * 0.7 } });
      for (let n = 0; n < 24 && /largest of/.test(await at('legend').innerText()); n++) await page.mouse.wheel(0, -240);
      for (let n = 0; n < 6; n++) await page.mouse.wheel(0, -240);
      await mapOf(frame, 'blocks.1.attn', 0);
      assert.doesNotMatch(await at('legend').innerText(), /largest of/);
      await at('hover-probability').filter({ hasText: /p = / }).waitFor();
      await picture('cells-dark');
    }],
    ['the search jumps to a token; the cell in focus is announced', async () => {
      await at('map').focus();
      await page.keyboard.press('/');
      await page.keyboard.type('§');
      await at('matches').filter({ hasText: /^1 of \d+$/ }).waitFor();
      await page.keyboard.press('Enter');
      await at('matches').filter({ hasText: /^2 of \d+$/ }).waitFor();
      await spoken(/Query \d+ §, key \d+ §, [\d.<]+%/);
      await page.keyboard.press('Escape');
      await page.keyboard.press('0');
      await mapOf(frame, 'blocks.1.attn', 0);
    }],
    ['a span of queries is brushed, and where its mass goes is said in bars and numbers', async () => {
      await drag('ruler-rows', 0.5, 0.6);
      await at('span-item').first().waitFor();
      assert.match(await at('span-strip').innerText(), /^QUERIES 2,\d{3}–2,\d{3}/i);
      await spoken(/^Queries 2,\d{3}–2,\d{3} look at key /);
      await mapOf(frame, 'blocks.1.attn', 0);
      await picture('queries-dark');
      await page.keyboard.press('Escape');
    }],
    ['of a sink head the sink stands apart, and a span of keys beside it; light and high contrast', async () => {
      await at('head-picker').locator('input').fill('L0H1');
      await at('head-picker').locator('input').press('Enter');
      await mapOf(frame, 'blocks.0.attn', 1);
      await at('sink-apart').click();
      await at('sink-share').filter({ hasText: 'on <bos> set apart' }).waitFor();
      await mapOf(frame, 'blocks.0.attn', 1);
      await drag('ruler-cols', 0.25, 0.4);
      await at('span-mean').waitFor();
      await mapOf(frame, 'blocks.0.attn', 1);
      await picture('keys-dark');
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await mapOf(frame, 'blocks.0.attn', 1);
        await at('span-mean').waitFor();
        await picture(`keys-${name}`);
      }
    }],
  ];
}
