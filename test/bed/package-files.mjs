/** What the package of each platform is made of, and the list of files that vsce would put into it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runtimes } from './node-runtimes.mjs';
import { BedError, root } from './run.mjs';

/** Platforms that get a package, by VS Code's names. */
export const targets = Object.keys(runtimes);

/** Of these, the ones that onnxruntime-node has a library for; the package of the others opens traces and says why it runs no model. */
export function hasRuntime(target) {
  const [platform, arch] = target.split('-');
  return existsSync(join(root, 'node_modules/onnxruntime-node/bin/napi-v6', platform, arch));
}

/**
 * Everything a package carries besides the engine's Node: [from, to], absolute and below the package; folders stand for their files.
 * Native packages go to dist/node_modules, where Node finds them from dist/runner.js by itself; vsce leaves out a node_modules at the top,
 * and would otherwise ask npm, which wants the download helpers of onnxruntime-node too.
 */
export function contents(target) {
  return [
    ...['README.md', 'CHANGELOG.md', 'LICENSE', '.vscodeignore', 'media', 'dist'].map(name => [join(root, name), name]),
    ...natives(target).map(path => [join(root, 'node_modules', path), join('dist/node_modules', path)]),
  ];
}

/** The files of node_modules that the engine loads at run time on `target`, below it. */
function natives(target) {
  const [platform, arch] = target.split('-'), onnxruntime = `onnxruntime-node/bin/napi-v6/${platform}/${arch}`;
  return [
    ...(hasRuntime(target) ? [
      'onnxruntime-common/package.json', 'onnxruntime-common/dist/cjs',
      'onnxruntime-node/package.json', ...['index', 'binding', 'backend', 'version'].map(name => `onnxruntime-node/dist/${name}.js`),
      // Of the Mac's library there are two, byte for byte the same; the binding asks for the short name.
      ...readdirSync(join(root, 'node_modules', onnxruntime)).filter(name => !/\.\d+\.\d+\.\d+\.dylib$/.test(name)).map(name => `${onnxruntime}/${name}`),
    ] : []),
    'webgpu/package.json', 'webgpu/index.js', 'webgpu/LICENSE.md',
    `webgpu/dist/${platform === 'darwin' ? 'darwin-universal' : target}`,
  ];
}

/** package.json as users get it: nothing that only a checkout needs. */
export function packagedManifest() {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'private']) delete manifest[key];
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/**
 * The files that vsce packs for `target`, below the package, sorted: found by vsce itself over a folder in which every file has its name and
 * no content, so that nothing large is copied or downloaded. Needs a built dist.
 */
export async function packageFiles(target) {
  if (!targets.includes(target)) throw new BedError(`There is no package for ${target}. Targets: ${targets.join(', ')}.`);
  const stage = mkdtempSync(join(tmpdir(), 'attnscope-files-'));
  try {
    for (const [from, to] of contents(target)) standIn(from, join(stage, to));
    cpSync(join(root, '.vscodeignore'), join(stage, '.vscodeignore'));
    writeFileSync(join(stage, 'package.json'), packagedManifest());
    for (const name of ['LICENSE', runtimes[target].binary]) put(join(stage, 'dist/node', name));
    const { listFiles, PackageManager } = await import('@vscode/vsce');
    return (await listFiles({ cwd: stage, packageManager: PackageManager.None })).map(file => file.replaceAll('\\', '/')).sort();
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Empty files in place of what lies at `from`. */
function standIn(from, to) {
  if (!statSync(from).isDirectory()) { put(to); return; }
  for (const entry of readdirSync(from)) standIn(join(from, entry), join(to, entry));
}

function put(file) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '');
}
