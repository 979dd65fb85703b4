/** `npm start`: installs, builds, packs, and opens VS Code on the demo with the extension in it; `-- --check` does it headless and reads the page. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ensureCodeServer, startCodeServer } from './code-server.mjs';
import { attentionLine, copyDemo } from './demo.mjs';
import { ensurePackages } from './packages.mjs';
import { BedError, cache, run, say } from './run.mjs';
import { ensureSystem, swiftshader } from './system.mjs';
import { packVsix } from './vsix.mjs';

const check = process.argv.includes('--check');

try {
  process.exitCode = await (check ? checkHeadless() : open());
} catch (error) {
  process.stderr.write(`${error instanceof BedError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function open() {
  const code = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY ? desktopCode() : undefined;
  if (!code) await ensureSystem(['python3', 'make', 'g++']);
  await ensurePackages();
  if (!code) await ensureCodeServer();
  const vsix = await packVsix({ target: hostTarget() });
  const workspace = copyDemo(join(cache, 'demo'));
  return code ? openDesktop(code, vsix, workspace) : serve(vsix, workspace);
}

/** In a profile of its own, so that a person's own VS Code stays as it is. As root, Electron wants to be told that it has no sandbox. */
async function openDesktop(code, vsix, workspace) {
  const profile = join(cache, 'start-desktop');
  const own = ['--user-data-dir', join(profile, 'data'), '--extensions-dir', join(profile, 'extensions'), ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  mkdirSync(profile, { recursive: true });
  await run(code, [...own, '--install-extension', vsix, '--force']);
  const window = spawn(code, [...own, '--new-window', '--disable-workspace-trust', workspace, '--goto', `${join(workspace, 'model.py')}:${attentionLine()}`], { detached: true, stdio: 'ignore', shell: process.platform === 'win32' });
  window.unref();
  say(`VS Code opens ${workspace}. Click "Trace Attention" over class Attention in model.py.`);
  return 0;
}

async function serve(vsix, workspace) {
  const server = await startCodeServer({ workspace, home: join(cache, 'start'), vsix: [vsix], env: adapterEnv() });
  say(`VS Code: ${server.url}\nOpen model.py there and click "Trace Attention" over class Attention. Ctrl+C ends it.`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.stop());
  await server.exited;
  return 0;
}

async function checkHeadless() {
  await ensureSystem();
  await ensurePackages();
  await ensureCodeServer();
  const vsix = await packVsix({ target: hostTarget() });
  // Imported late: it needs playwright-core, which a fresh clone does not have when this file is read.
  const { checkDemo } = await import('../workbench/check.mjs');
  return checkDemo(vsix, adapterEnv());
}

function hostTarget() { return `${process.platform}-${process.arch}`; }

/** Where there is no GPU driver of its own, chromium's software one serves. */
function adapterEnv() {
  return process.env.VK_ICD_FILENAMES || !existsSync(swiftshader) ? {} : { VK_ICD_FILENAMES: swiftshader };
}

function desktopCode() {
  const names = process.platform === 'win32' ? ['code.cmd'] : ['code'];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  return undefined;
}
