/** Packs the extension as users get it: one platform's natives and its Node, no sources, no tests; `node test/bed/vsix.mjs --target linux-x64`, or `--target all`. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureNodeRuntime } from './node-runtimes.mjs';
import { contents, hasRuntime, packagedManifest, targets } from './package-files.mjs';
import { ensurePackages } from './packages.mjs';
import { BedError, cache, root, run, say } from './run.mjs';

/** Largest VSIX that we hand out, in bytes. */
export const vsixLimitBytes = 110 * 2 ** 20;

/** Builds, lays out and packs; returns the file's path. `build: false` packs the dist that is there. */
export async function packVsix({ target = 'linux-x64', build = true } = {}) {
  if (!targets.includes(target)) throw new BedError(`There is no package for ${target}. Targets: ${targets.join(', ')}, all.`);
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

/** Fills `stage` with the extension for `target`. */
function layOut(stage, target, runtime) {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  for (const [from, to] of contents(target)) if (existsSync(from)) cpSync(from, join(stage, to), { recursive: true });
  writeFileSync(join(stage, 'package.json'), packagedManifest());
  cpSync(runtime, join(stage, 'dist/node'), { recursive: true, filter: path => !path.endsWith('stamp') });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const at = process.argv.indexOf('--target'), named = at < 0 ? 'linux-x64' : process.argv[at + 1];
  try {
    let build = true;
    for (const target of named === 'all' ? targets : [named]) {
      const file = await packVsix({ target, build });
      say(`${file}: ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB${hasRuntime(target) ? '' : ' (opens traces; onnxruntime has no build for this platform, so that it runs no model, and says so)'}`);
      build = false;
    }
  } catch (error) {
    if (!(error instanceof BedError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
