/** Opens a workspace in a person's VS Code with the packed extension in it: the desktop's where there is one, else a local code-server. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ensureCodeServer, startCodeServer } from './code-server.mjs';
import { ensurePackages } from './packages.mjs';
import { cache, run, say } from './run.mjs';
import { ensureSystem, swiftshader } from './system.mjs';
import { packVsix } from './vsix.mjs';

/**
 * `prepare` makes the workspace and resolves with its folder, once everything else is there. `at` is the file to show, as FILE or FILE:LINE; `what` to
 * do there, in a sentence. Resolves with the exit code, for a code-server when it ends.
 */
export async function openEditor({ prepare, at, what, home }) {
  const code = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY ? desktopCode() : undefined;
  if (!code) await ensureSystem(['python3', 'make', 'g++']);
  await ensurePackages();
  if (!code) await ensureCodeServer();
  const vsix = await packVsix({ target: hostTarget() }), workspace = await prepare();
  return code ? openDesktop({ code, vsix, workspace, at, what, home }) : serve({ vsix, workspace, what, home });
}

/** What a headless check needs: everything installed, and the package. */
export async function readyForCheck() {
  await ensureSystem();
  await ensurePackages();
  await ensureCodeServer();
  return packVsix({ target: hostTarget() });
}

/** Where there is no GPU driver of its own, chromium's software one serves. */
export function adapterEnv() {
  return process.env.VK_ICD_FILENAMES || !existsSync(swiftshader) ? {} : { VK_ICD_FILENAMES: swiftshader };
}

/** In a profile of its own, so that a person's own VS Code stays as it is. As root, Electron wants to be told that it has no sandbox. */
async function openDesktop({ code, vsix, workspace, at, what, home }) {
  const profile = join(cache, `${home}-desktop`);
  const own = ['--user-data-dir', join(profile, 'data'), '--extensions-dir', join(profile, 'extensions'), ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  mkdirSync(profile, { recursive: true });
  await run(code, [...own, '--install-extension', vsix, '--force']);
  const window = spawn(code, [...own, '--new-window', '--disable-workspace-trust', workspace, '--goto', join(workspace, at)], { detached: true, stdio: 'ignore', shell: process.platform === 'win32' });
  window.unref();
  say(`VS Code opens ${workspace}. ${what}`);
  return 0;
}

async function serve({ vsix, workspace, what, home }) {
  const server = await startCodeServer({ workspace, home: join(cache, home), vsix: [vsix], env: adapterEnv() });
  say(`VS Code: ${server.url}\n${what} Ctrl+C ends it.`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.stop());
  await server.exited;
  return 0;
}

function hostTarget() { return `${process.platform}-${process.arch}`; }

function desktopCode() {
  const names = process.platform === 'win32' ? ['code.cmd'] : ['code'];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  return undefined;
}
