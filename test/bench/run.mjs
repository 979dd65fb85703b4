/** `npm run bench`: bundles the benchmarks and runs them; `-- T …` chooses lengths, `-- --only lens|trace|open|recognition|interactive|map|discovery|estimates|overview|viewer` a part. */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensurePackages } from '../bed/packages.mjs';
import { ensureVenv } from '../bed/venv.mjs';

const root = resolve(import.meta.dirname, '../..'), out = join(root, '.cache/bench');
mkdirSync(out, { recursive: true });
await ensurePackages();
// Hugging Face's modelling files, which the lenses are measured on.
await ensureVenv();
// The children that the interactive part starts are the product's own bundles.
const built = spawnSync(process.execPath, ['build.mjs'], { cwd: root, stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);
await build({
  entryPoints: ['bench', 'worker'].map(name => join(root, 'test/bench', `${name}.ts`)), outdir: join(root, 'dist'), entryNames: 'bench-[name]', bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning',
  external: ['onnxruntime-node', 'webgpu', 'playwright-core'], define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')],
});
process.exitCode = spawnSync(process.execPath, [join(root, 'dist/bench-bench.js'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' }).status ?? 1;
