/** Packs the extension as users get it: one platform's natives and its Node, no sources, no tests; `node test/bed/vsix.mjs --target linux-x64`. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureNodeRuntime, runtimes } from './node-runtimes.mjs';
import { ensurePackages } from './packages.mjs';
import { BedError, cache, root, run, say } from './run.mjs';

/** Largest VSIX that we hand out, in bytes. */
export const vsixLimitBytes = 110 * 2 ** 20;

/** Builds, lays out and packs; returns the file's path. `build: false` packs the dist that is there. */
export async function packVsix({ target = 'linux-x64', build = true } = {}) {
  if (!Object.hasOwn(runtimes, target)) throw new BedError(`There is no package for ${target}. Targets: ${Object.keys(runtimes).join(', ')}.`);
  await ensurePackages();
  const runtime = await ensureNodeRuntime(target);
  if (build) await run(process.execPath, ['build.mjs']);
  const stage = join(cache, 'package', target);
  layOut(stage, target, runtime);
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  const file = join(root, `attnscope-${target}-${version}.vsix`);
  rmSync(file, { force: true });
  await run(process.execPath, [join(root, 'node_modules/@vscode/vsce/vsce'), 'package', '--no-dependencies', '--target', target, '--allow-missing-repository', '--no-rewrite-relative-links', '-o', file], { cwd: stage });
  const bytes = statSync(file).size;
  if (bytes > vsixLimitBytes) throw new BedError(`${file} has ${bytes} bytes; at most ${vsixLimitBytes} are allowed. Look what ${stage} carries.`);
  return file;
}

/**
 * Fills `stage` with the extension for `target`. Native packages go to dist/node_modules, where Node finds them from
 * dist/runner.js by itself; vsce leaves out a node_modules at the top, and would otherwise ask npm, which wants the
 * download helpers of onnxruntime-node too.
 */
function layOut(stage, target, runtime) {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE', '.vscodeignore', 'media', 'dist']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(stage, name), { recursive: true });
  }
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'private']) delete manifest[key];
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const path of natives(target)) cpSync(join(root, 'node_modules', path), join(stage, 'dist/node_modules', path), { recursive: true });
  cpSync(runtime, join(stage, 'dist/node'), { recursive: true, filter: path => !path.endsWith('stamp') });
}

/** The files of node_modules that the engine loads at run time on `target`, below it. */
function natives(target) {
  const [platform, arch] = target.split('-');
  return [
    'onnxruntime-common/package.json', 'onnxruntime-common/dist/cjs',
    'onnxruntime-node/package.json', ...['index', 'binding', 'backend', 'version'].map(name => `onnxruntime-node/dist/${name}.js`),
    `onnxruntime-node/bin/napi-v6/${platform}/${arch}`,
    'webgpu/package.json', 'webgpu/index.js', 'webgpu/LICENSE.md',
    `webgpu/dist/${platform === 'darwin' ? 'darwin-universal' : target}`,
  ];
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const at = process.argv.indexOf('--target');
  try {
    const file = await packVsix({ target: at < 0 ? 'linux-x64' : process.argv[at + 1] });
    say(`${file}: ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`);
  } catch (error) {
    if (!(error instanceof BedError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
