/** A walk through the manners, in a workspace without a model: walkthrough, welcome views, status item, palette, diagnostics; dark, light and high contrast. */
import { strict as assert } from 'node:assert';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { results } from '../../bed/run.mjs';
import { openPalette, openWorkbench, runCommand } from '../../bed/workbench.mjs';
import { wear } from '../steps.mjs';

/** Takes the models away. */
export async function withoutModels(workspace) { rmSync(join(workspace, 'storyteller'), { recursive: true }); }

export function mannersCases({ server, page }) {
  const picture = name => page.screenshot({ path: join(results, `manners-${name}.png`) });
  const steps = page.locator('.getting-started-step');
  return [
    ['Get Started opens the walkthrough: five steps, each with its picture', async () => {
      await openWorkbench(page, server.url);
      // Commands are there when the extension was found.
      await page.locator('.activitybar a[aria-label^="AttnScope"]').first().waitFor();
      await page.locator('.activitybar a[aria-label^="AttnScope"]').first().click();
      await page.locator('.pane', { hasText: 'There is no ONNX model in this workspace' }).first().waitFor();
      await runCommand(page, 'AttnScope: Get Started');
      await steps.first().waitFor();
      assert.equal(await steps.count(), 5);
      const seen = new Set();
      for (let n = 0; n < 5; n++) {
        await steps.nth(n).click();
        // VS Code sets srcset, so that the source is known when the picture is loaded.
        const shown = await page.waitForFunction(known => { const image = document.querySelector('.getting-started-media img'); return image?.complete && image.naturalWidth > 300 && !known.includes(image.currentSrc) && image.currentSrc; }, [...seen]);
        seen.add(await shown.jsonValue());
        await picture(`walkthrough-${n + 1}-dark`);
      }
      assert.ok([...seen].every(src => src.includes('-dark.png')), [...seen].join());
    }],
    ['both views say what is missing, with the button that brings it', async () => {
      const pane = title => page.locator('.pane', { has: page.locator('.pane-header', { hasText: title }) });
      await pane('Models').getByRole('button', { name: 'Open Demo' }).waitFor();
      await pane('Models').getByRole('button', { name: 'Trace a Model Elsewhere…' }).waitFor();
      await pane('Traces').getByRole('button', { name: 'Trace Attention' }).waitFor();
    }],
    ['the palette offers no trace again and no cancel where there is nothing to trace again or to cancel', async () => {
      await openPalette(page, 'AttnScope: ');
      const rows = page.locator('.quick-input-list .monaco-list-row');
      await rows.filter({ hasText: 'Copy Diagnostics' }).waitFor();
      const offered = (await rows.allInnerTexts()).join('\n');
      for (const absent of ['Trace Again', 'Cancel Trace', 'Open Head']) assert.ok(!offered.includes(absent), offered);
      for (const present of ['Trace Attention', 'Restart Engine', 'Show Log', 'Get Started']) assert.ok(offered.includes(present), offered);
      await picture('palette-dark');
      await page.keyboard.press('Escape');
    }],
    ['the status item says that nothing runs, and its tooltip leads to log, restart and diagnostics', async () => {
      const item = page.locator('.statusbar-item', { hasText: 'AttnScope' });
      await item.hover();
      const tooltip = page.locator('.workbench-hover, .monaco-hover').filter({ hasText: 'AttnScope is idle' }).first();
      await tooltip.waitFor();
      for (const name of ['Show Log', 'Restart Engine', 'Copy Diagnostics']) await tooltip.getByRole('link', { name }).or(tooltip.locator('a', { hasText: name })).first().waitFor();
      await picture('status-dark');
      await page.mouse.move(700, 300);
    }],
    ['Copy Diagnostics says what it did, and shows the text', async () => {
      await runCommand(page, 'AttnScope: Copy Diagnostics');
      const toast = page.locator('.notifications-toasts', { hasText: 'Diagnostics are on the clipboard' });
      await toast.waitFor();
      await toast.locator('.monaco-button', { hasText: 'Show' }).click();
      await page.locator('.view-line', { hasText: 'AttnScope' }).filter({ hasText: 'diagnostics' }).first().waitFor();
      await picture('diagnostics-dark');
    }],
    ['the light theme and high contrast', async () => {
      for (const [name, ground] of [['light', '-light.png'], ['contrast', '-dark.png']]) {
        await wear(page, name);
        await runCommand(page, 'AttnScope: Get Started');
        await steps.nth(2).click();
        await page.waitForFunction(end => { const shown = document.querySelector('.getting-started-media img'); return shown?.complete && shown.currentSrc.includes(end); }, ground);
        await picture(`walkthrough-3-${name}`);
      }
    }],
  ];
}
