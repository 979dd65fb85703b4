/** `npm run test:export`: writes export scripts, runs them with PyTorch, and traces what they write. ATTNSCOPE_TORCH_PYTHON names a Python with torch; without it one is installed into .cache (5 GB). */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { ensurePackages } from '../bed/packages.mjs';
import { cache, once, run } from '../bed/run.mjs';

const root = resolve(import.meta.dirname, '../..'), folder = join(cache, 'torch-venv');
const pins = ['torch==2.11.0', 'transformers==5.17.0', 'onnx==1.23.2', 'onnxscript==0.7.2', 'onnxruntime==1.30.0', 'safetensors==0.8.0'];
let python = process.env.ATTNSCOPE_TORCH_PYTHON;
if (!python) {
  python = join(folder, 'bin/python');
  await once({ stamp: join(folder, 'stamp'), key: pins.join(' '), product: python, what: `Python packages ${pins.join(', ')}` }, async () => {
    await run('python3', ['-m', 'venv', '--clear', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', ...pins], { timeoutMs: 1_800_000 });
  });
}
await ensurePackages();
const built = spawnSync(process.execPath, ['build.mjs'], { cwd: root, stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);
await build({
  entryPoints: [join(root, 'test/export/export.ts')], outfile: join(root, 'dist/test-export.js'), bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning',
  define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')],
});
process.exitCode = spawnSync(process.execPath, [join(root, 'dist/test-export.js'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit', env: { ...process.env, ATTNSCOPE_TORCH_PYTHON: python } }).status ?? 1;
