/** Our own node_modules: `npm ci` when there are none, or when the lock file has changed since. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say } from './run.mjs';

/** Checks that what package-lock.json names is installed, by npm's own record; installs it otherwise. Install scripts stay off (.npmrc): one of them would download. */
export async function ensurePackages() {
  if (installedAsLocked(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')))) return;
  say('bed: npm ci …');
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root });
}

function installedAsLocked(lock) {
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  return Object.entries(lock.packages).every(([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version);
}
