/** Bundles the API suite and packs it as an extension of its own, which runs it inside the extension host. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { cache, root, run } from '../bed/run.mjs';

const folder = join(cache, 'suite');
/** The suite as @vscode/test-electron wants it: a module with `run()`. */
export const suiteModule = join(folder, 'index.js');

/** Bundles `extension.js` and `index.js`. */
export async function bundleSuite() {
  mkdirSync(folder, { recursive: true });
  const suite = join(root, 'test/workbench/suite');
  await build({ entryPoints: [join(suite, 'index.ts'), join(suite, 'extension.ts')], outdir: folder, bundle: true, platform: 'node', format: 'cjs', target: 'node20', external: ['vscode'], logLevel: 'warning' });
}

/** Packs the test-only extension; returns its VSIX. */
export async function packSuite() {
  await bundleSuite();
  writeFileSync(join(folder, 'package.json'), JSON.stringify({
    name: 'attnscope-suite', publisher: 'attnscope', version: '0.0.1', engines: { vscode: '^1.120.0' }, main: './extension.js',
    activationEvents: ['onStartupFinished'], capabilities: { untrustedWorkspaces: { supported: true } },
  }));
  writeFileSync(join(folder, '.vscodeignore'), '**\n!extension.js\n');
  const file = join(cache, 'attnscope-suite.vsix');
  await run(process.execPath, [join(root, 'node_modules/@vscode/vsce/vsce'), 'package', '--no-dependencies', '--allow-missing-repository', '--skip-license', '-o', file], { cwd: folder });
  return file;
}
