/** A person's hands in the workbench: what the walk, the check and the suites do on the page, each step waiting for what it should bring. */

/** Opens the workbench and waits until the explorer shows its files, which is when the extension host starts. */
export async function openWorkbench(page, url) {
  await page.goto(url, { timeout: 60_000 });
  await page.locator('.explorer-folders-view .monaco-list-row').first().waitFor({ timeout: 90_000 });
}

/** Runs a command by its title from the palette. */
export async function runCommand(page, title) {
  // The list is sorted anew while it fills, and a row that moves cannot be clicked: then once more.
  for (let tries = 1; ; tries++) {
    await openPalette(page, title);
    try { return await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click({ timeout: 6_000 }); } catch (error) {
      if (tries === 4) throw error;
      await page.keyboard.press('Escape');
    }
  }
}

/** The palette with `text` in it. */
export function openPalette(page, text) { return typed(page, 'F1', `>${text}`); }

/** Presses `key` for a quick input and types into it; one that is just closing takes no text. */
async function typed(page, key, text) {
  const input = page.locator('.quick-input-widget input').first();
  for (let tries = 1; ; tries++) {
    await page.keyboard.press(key);
    try { await input.waitFor({ timeout: 5_000 }); return await input.fill(text, { timeout: 3_000 }); } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** Opens a file of the workspace through quick open; `path` as the workspace shows it. */
export async function openFile(page, path) {
  await typed(page, 'Control+P', path);
  await page.locator('.quick-input-list .monaco-list-row', { hasText: path.split('/').pop() }).first().click();
  await page.locator('.tab', { hasText: path.split('/').pop() }).first().waitFor();
}

/** Chooses an entry of the context menu of a row. */
export async function rowMenu(page, row, entry) {
  await row.click({ button: 'right' });
  const item = page.locator('.monaco-menu-container .action-item', { hasText: entry }).first();
  await item.hover();
  // A menu takes no click in its first moment.
  for (let tries = 0; await item.isVisible() && tries < 10; tries++) { await item.click({ timeout: 2_000 }).catch(() => undefined); await page.waitForTimeout(200); }
  await item.waitFor({ state: 'hidden' });
}

/** The first code lens on the screen whose text matches; go to its line first, since only lines on the screen have one. */
export function lens(page, text) {
  return page.locator('.codelens-decoration a', { hasText: text }).filter({ visible: true }).first();
}

/** The document of the webview that is in front: VS Code nests two frames. `probe` is a selector that only our page has. */
export async function webviewFrame(page, probe, timeoutMs = 30_000) {
  for (const end = Date.now() + timeoutMs; Date.now() < end;) {
    for (const frame of page.frames()) {
      if (frame === page.mainFrame() || frame.isDetached()) continue;
      try {
        if (await frame.locator(probe).first().isVisible()) return frame;
      } catch { /* the frame went away while we looked */ }
    }
    await page.waitForTimeout(100);
  }
  throw new Error(`No webview showed ${probe} within ${timeoutMs / 1000} s.`);
}

/** Puts the cursor on a line of the editor in front (1-based), so that it is rendered. */
export async function goToLine(page, line) {
  await typed(page, 'Control+G', `:${line}`);
  await page.keyboard.press('Enter');
}

/** Hovers a token of the editor in front and resolves with the hover. */
export async function hoverToken(page, text) {
  await page.mouse.move(5, 5);
  await page.locator('.editor-instance .view-line span', { hasText: text }).last().hover();
  const hover = page.locator('.monaco-hover:not(.hidden) .hover-contents').first();
  await hover.waitFor();
  return hover;
}

/** Every notification on the page, as text. */
export async function notifications(page) {
  return page.locator('.notification-list-item-message').allInnerTexts();
}
