/** `npm run test:export`: writes export scripts, runs them with PyTorch, and traces what they write. ATTNSCOPE_TORCH_PYTHON names a Python with torch; without it one is installed into .cache (5 GB). */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { ensurePackages } from '../bed/packages.mjs';
import { ensureTorch } from '../bed/torch.mjs';

const root = resolve(import.meta.dirname, '../..'), python = await ensureTorch();
await ensurePackages();
const built = spawnSync(process.execPath, ['build.mjs'], { cwd: root, stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);
await build({
  entryPoints: [join(root, 'test/export/export.ts')], outfile: join(root, 'dist/test-export.js'), bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning',
  define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')],
});
process.exitCode = spawnSync(process.execPath, [join(root, 'dist/test-export.js'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit', env: { ...process.env, ATTNSCOPE_TORCH_PYTHON: python } }).status ?? 1;
