/** The walk: from the lens in model.py through the trace and back, until the model changes and is traced again; in the dark and in the light. */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { results } from '../../bed/run.mjs';
import { goToLine, lens, openFile, openWorkbench, webviewFrame } from '../../bed/workbench.mjs';
import { answerQuestions, lensOverAttention, mapOf, overview, prompt, readOverview, wear } from '../steps.mjs';

/** The steps as [name, work]; each stands on those before it. `lines` is what the page's consoles printed. */
export function walkCases({ server, page, lines }) {
  const picture = name => page.screenshot({ path: join(results, `${name}.png`) });
  let frame;
  const inTrace = testid => frame.locator(`[data-testid="${testid}"]`);

  return [
    ['the demo opens, and over class Attention stands the lens', async () => {
      await openWorkbench(page, server.url);
      await lensOverAttention(page, 'Trace Attention');
      await picture('1-lens-dark');
    }],
    ['a click asks for model and prompt, shows progress, and opens the trace', async () => {
      await lens(page, 'Trace Attention').click();
      await answerQuestions(page, prompt);
      await page.locator('.notifications-toasts', { hasText: 'Tracing model.onnx' }).waitFor({ timeout: 10_000 });
      await picture('2-progress-dark');
      frame = await overview(page);
    }],
    ['Overview: every head has a thumbnail, parity holds, verdicts and the five next tokens are there', async () => {
      await picture('3-overview-dark');
      // Thumbnails come when their layer scrolls into view.
      await frame.locator('[data-testid="head-cell"]').last().scrollIntoViewIfNeeded();
      await frame.locator('[data-testid="head-cell"]:not([data-ready])').first().waitFor({ state: 'detached' });
      const shown = await readOverview(frame);
      assert.equal(shown.heads.length, 48);
      assert.ok(shown.heads.every(head => head.ready), 'a thumbnail is missing');
      assert.equal(shown.parity.level, 'ok', shown.parity.text);
      assert.match(shown.parity.text, /parity/i);
      assert.ok(shown.verdicts.length > 0, 'no verdict');
      assert.equal(shown.next.length, 5);
      assert.deepEqual(shown.next.map(each => each.probability), shown.next.map(each => each.probability).toSorted((a, b) => b - a));
      assert.ok(shown.next[0].probability > 0.05 && shown.next.reduce((sum, each) => sum + each.probability, 0) <= 1.000001);
      assert.match(shown.prompt.replaceAll(/[·␣\s]/g, ''), /Annagavethelantern/);
    }],
    ['Attention: a click on a head draws it in full, with a legend', async () => {
      await frame.locator('[data-testid="head-cell"][data-label="L4H2"]').click();
      await mapOf(frame, 'blocks.4.attn', 2);
      assert.match(await inTrace('legend').innerText(), /not visible/);
      await picture('4-attention-dark');
    }],
    ['a hover on a cell tells query, key, probability and the text around them', async () => {
      const map = await mapOf(frame, 'blocks.4.attn', 2);
      const box = await map.boundingBox();
      await map.hover({ position: { x: box.width * 0.1, y: box.height * 0.8 } });
      const card = inTrace('hover-card');
      await card.filter({ hasText: '%' }).waitFor();
      const text = await card.innerText();
      assert.match(text, /query \d+/);
      assert.match(text, /key \d+/);
      assert.match(text, /p = \d/);
      assert.match(text, /gave|lantern|Anna|Boris/);
      // Above the diagonal no query sees its key.
      await map.hover({ position: { x: box.width * 0.5, y: box.height * 0.1 } });
      await card.filter({ hasText: 'not visible' }).waitFor();
      await picture('5-hover-dark');
    }],
    ['the picker takes L3H1, 3.1 and layer 3 head 1, and says what is wrong with L99H1', async () => {
      const input = inTrace('head-picker').locator('input');
      for (const [typed, site, head] of [['L3H1', 'blocks.3.attn', 1], ['2.0', 'blocks.2.attn', 0], ['3.1', 'blocks.3.attn', 1], ['L0H0', 'blocks.0.attn', 0], ['layer 3 head 1', 'blocks.3.attn', 1]]) {
        await input.fill(typed);
        await input.press('Enter');
        await mapOf(frame, site, head);
      }
      await input.fill('L99H1');
      await input.press('Enter');
      await inTrace('picker-problem').waitFor();
      await input.press('Escape');
    }],
    ['log scale: the legend follows', async () => {
      await inTrace('scale-picker').click();
      await inTrace('scale-picker').locator('vscode-option', { hasText: 'Log' }).click();
      await frame.locator('[data-testid="legend"][data-scale="log"]').waitFor();
      await mapOf(frame, 'blocks.3.attn', 1);
      await picture('6-log-dark');
    }],
    ['the wheel zooms and a drag moves: other cells come under the pointer', async () => {
      const map = await mapOf(frame, 'blocks.3.attn', 1);
      // What the mouse brings along stands beside the map before the map is measured.
      await map.hover();
      await inTrace('hover-card').waitFor();
      const box = await map.boundingBox();
      const cell = async (x, y) => {
        await map.hover({ position: { x: box.width * x, y: box.height * y } });
        await inTrace('hover-card').waitFor();
        // What is spoken follows at most twice a second.
        await page.waitForTimeout(700);
        return (await inTrace('spoken').textContent()).split(',').slice(0, 2).join();
      };
      const before = await cell(0.1, 0.9);
      await map.hover({ position: { x: box.width / 2, y: box.height / 2 } });
      await page.mouse.wheel(0, -800);
      await until('the zoom to move other cells under the pointer', async () => await cell(0.1, 0.9) !== before);
      const zoomed = await cell(0.3, 0.7);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.4, { steps: 5 });
      await page.mouse.up();
      await until('the drag to move other cells under the pointer', async () => await cell(0.3, 0.7) !== zoomed);
      await inTrace('fit').click();
      await until('the whole map', async () => await cell(0.1, 0.9) === before);
    }],
    ['back in model.py the lens reads what was measured', async () => {
      const measured = await lensOverAttention(page, /\d+ sites/);
      assert.match(await measured.innerText(), /6 sites · \d+ sink heads? · parity \d/);
    }],
    ['hovers on the class, on self.attn = … and on the call show pictures, numbers and links', async () => {
      for (const [needle, name] of [['class Attention', '7-hover-class-dark'], ['self.attn = Attention(config)', undefined], ['= self.attn(self', undefined]]) {
        const hover = await hoverOver(page, needle);
        assert.ok(await hover.locator('img').count() > 0, `no picture over ${needle}`);
        assert.match(await hover.innerText(), /L\d+H\d+/);
        if (name) await picture(name);
      }
    }],
    ['a link in the hover opens that head', async () => {
      const hover = await hoverOver(page, 'class Attention');
      const link = hover.locator('a', { hasText: /^L\d+H\d+/ }).first();
      const [, layer, head] = /^L(\d+)H(\d+)/.exec(await link.innerText());
      await link.click();
      frame = await webviewFrame(page, '[data-testid="map"]');
      await mapOf(frame, `blocks.${layer}.attn`, head);
    }],
    ['when the model on the disk changes, trace and lens say stale', async () => {
      utimesSync(join(server.workspace, 'storyteller/model.onnx'), new Date(), new Date());
      await inTrace('stale-banner').waitFor();
      await picture('8-stale-dark');
      await lensOverAttention(page, /stale/i);
    }],
    ['one click traces again, and nothing is stale any more', async () => {
      await lens(page, /stale/i).click();
      frame = await webviewFrame(page, '[data-testid="head-grid"], [data-testid="map"]');
      await inTrace('stale-banner').waitFor({ state: 'detached' });
      assert.match(await (await lensOverAttention(page, /\d+ sites/)).innerText(), /6 sites/);
      assert.equal(await lens(page, /stale/i).count(), 0);
    }],
    ['the engine dies under an open trace: maps are back by themselves within three seconds; when it dies again at once, the page says so, and Restart brings them back', async () => {
      await page.locator('.tab', { hasText: '.attntrace' }).first().click();
      frame = await webviewFrame(page, '[data-testid="tab-overview"]');
      await inTrace('tab-overview').click();
      frame = await overview(page);
      const [first, ...others] = enginePids(server.extensions, 'analysis.js');
      assert.deepEqual(others, []);
      await frame.locator('[data-testid="head-cell"][data-label="L0H0"]').click();
      await mapOf(frame, 'blocks.0.attn', 0);
      process.kill(first, 'SIGKILL');
      const struck = Date.now();
      // A head that was not drawn before: its tiles have to come from the new process.
      await inTrace('head-picker').locator('input').fill('L0H1');
      await inTrace('head-picker').locator('input').press('Enter');
      await mapOf(frame, 'blocks.0.attn', 1);
      const backMs = Date.now() - struck;
      assert.ok(backMs <= 15_000, `${backMs} ms`);
      assert.equal(await inTrace('error').count(), 0);
      const [second] = enginePids(server.extensions, 'analysis.js');
      assert.notEqual(second, first);
      await inTrace('tab-overview').click();
      frame = await overview(page);
      process.kill(second, 'SIGKILL');
      await inTrace('error').filter({ hasText: 'The engine stopped' }).waitFor();
      await picture('9-engine-stopped-dark');
      await inTrace('restart').click();
      await inTrace('error').waitFor({ state: 'detached' });
      await frame.locator('[data-testid="head-cell"][data-label="L2H0"]').click();
      await mapOf(frame, 'blocks.2.attn', 0);
    }],
    ['the light theme and high contrast: both tabs', async () => {
      for (const name of ['light', 'contrast']) {
        await wear(page, name);
        await page.locator('.tab', { hasText: '.attntrace' }).last().click();
        frame = await webviewFrame(page, '[data-testid="tab-overview"]');
        await inTrace('tab-overview').click();
        frame = await overview(page);
        await picture(`9-overview-${name}`);
        await frame.locator('[data-testid="head-cell"][data-label="L4H2"]').click();
        await mapOf(frame, 'blocks.4.attn', 2);
        await picture(`9-attention-${name}`);
      }
    }],
    ['no page of ours broke its content policy, and none threw', async () => {
      const broken = () => lines.filter(line => /content security policy/i.test(line) && /nonce-/.test(line));
      assert.deepEqual(broken(), []);
      assert.deepEqual(lines.filter(line => /^uncaught:/.test(line)), []);
      // The control: a script without the nonce is refused, and this test hears of it.
      await frame.evaluate(() => { const script = document.createElement('script'); script.textContent = 'window.ranAllTheSame = true'; document.body.append(script); });
      await until('the refusal in the console', () => broken().length > 0);
      assert.equal(await frame.evaluate(() => window.ranAllTheSame), undefined);
    }],
  ];
}

/** Processes that run `script` of the extension installed below `extensions`. */
function enginePids(extensions, script) {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(extensions) && command.includes(script);
    } catch { return false; }
  });
}

/** Hovers the last word of `needle` in model.py, wherever it stands, and resolves with the hover. */
async function hoverOver(page, needle) {
  const lines = readFileSync(new URL('../../../media/demo/model.py', import.meta.url), 'utf8').split('\n');
  const line = lines.findIndex(text => text.includes(needle)) + 1;
  assert.ok(line > 0, `model.py has no ${needle}`);
  await openFile(page, 'model.py');
  await goToLine(page, line);
  await page.mouse.move(5, 5);
  const row = page.locator('.editor-instance .view-line', { hasText: needle.replaceAll(' ', '\u00a0') }).or(page.locator('.editor-instance .view-line', { hasText: needle })).first();
  const word = needle.includes('self.attn') ? 'attn' : 'Attention';
  await row.locator('span span', { hasText: word }).first().hover();
  const hover = page.locator('.monaco-hover', { hasText: /L\d+H\d+/ }).filter({ visible: true }).first();
  await hover.waitFor();
  return hover;
}

async function until(what, holds, timeoutMs = 15_000) {
  for (const end = Date.now() + timeoutMs; Date.now() < end;) {
    if (await holds()) return;
    await new Promise(done => setTimeout(done, 150));
  }
  throw new Error(`Waited ${timeoutMs / 1000} s in vain for ${what}.`);
}
