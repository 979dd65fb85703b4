/** Debian's chromium, driven by playwright-core, with the flags under which a workbench and WebGPU on a software adapter run. */
import { chromium as engine } from 'playwright-core';
import { chromium } from './system.mjs';

const flags = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--enable-unsafe-swiftshader', '--enable-unsafe-webgpu'];

/** A browser with one context of its own; `console` gets every line that any page or frame writes to its console, and every uncaught error. */
export async function openBrowser({ width = 1400, height = 900, console: onLine = () => {} } = {}) {
  const browser = await engine.launch({ executablePath: chromium, headless: true, args: flags });
  const context = await browser.newContext({ viewport: { width, height } });
  context.setDefaultTimeout(30_000);
  context.on('console', message => onLine(`${message.type()}: ${message.text()}`));
  context.on('weberror', error => onLine(`uncaught: ${error.error().message}`));
  return { browser, context, page: await context.newPage() };
}
