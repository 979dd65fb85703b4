/** `npm run bench:gpu`: packs the GPU bench, Node and Dawn included, into one archive that runs on a bare Linux machine with a GPU (`tar xf FILE && gpu-bench/run.sh`), and runs it here; `-- --pack` only packs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { ensureNodeRuntime } from '../../bed/node-runtimes.mjs';

const root = resolve(import.meta.dirname, '../../..'), work = join(root, '.cache/gpu-bench'), archive = `${work}.tar.xz`;
rmSync(work, { recursive: true, force: true });
mkdirSync(join(work, 'node_modules/webgpu/dist'), { recursive: true });
await build({ entryPoints: [join(import.meta.dirname, 'bench.ts')], bundle: true, platform: 'node', format: 'esm', target: 'node20', outfile: join(work, 'bench.mjs'), external: ['webgpu'], logLevel: 'warning' });
cpSync(join(root, 'shaders'), join(work, 'shaders'), { recursive: true });
cpSync(join(import.meta.dirname, 'peer.py'), join(work, 'peer.py'));
for (const file of ['package.json', 'index.js', 'dist/linux-x64']) cpSync(join(root, 'node_modules/webgpu', file), join(work, 'node_modules/webgpu', file), { recursive: true });
cpSync(join(await ensureNodeRuntime('linux-x64'), 'bin/node'), join(work, 'node'));
spawnSync('strip', ['-s', join(work, 'node')]);
// The loader of Vulkan drivers, which bare machines may lack; the driver itself is the card's.
const loader = '/usr/lib/x86_64-linux-gnu/libvulkan.so.1';
if (existsSync(loader)) { mkdirSync(join(work, 'lib')); cpSync(loader, join(work, 'lib/libvulkan.so.1'), { dereference: true }); }
writeFileSync(join(work, 'run.sh'), `#!/bin/sh
# Runs the GPU bench beside this script.
cd "$(dirname "$0")" || exit 1
export LD_LIBRARY_PATH="$PWD/lib:$LD_LIBRARY_PATH" XDG_RUNTIME_DIR=/tmp
for icd in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json /usr/share/vulkan/icd.d/nvidia_icd.json; do [ -z "$VK_DRIVER_FILES" ] && [ -f "$icd" ] && export VK_DRIVER_FILES="$icd"; done
exec ./node bench.mjs "$@"
`, { mode: 0o755 });
if (process.argv.includes('--pack')) {
  rmSync(archive, { force: true });
  execFileSync('tar', ['--use-compress-program=xz -T0 -6', '-cf', archive, '-C', join(root, '.cache'), 'gpu-bench']);
  console.log(`${archive}: ${(statSync(archive).size / 2 ** 20).toFixed(1)} MiB (limit 40)`);
} else process.exitCode = spawnSync(join(work, 'run.sh'), process.argv.slice(2), { stdio: 'inherit' }).status ?? 1;
