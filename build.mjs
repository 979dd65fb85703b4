/** Builds everything into dist/: one bundle per room; native modules stay external; `--watch`, `--generate`. */
import { build, context } from 'esbuild';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const node = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', sourcemap: true, logLevel: 'warning', loader: { '.node': 'empty' }, define: { 'import.meta.url': '__importMetaUrl' }, inject: ['extension/cjs-shim.js'] };
const native = ['onnxruntime-node', 'webgpu'];
const bundles = [
  { ...node, entryPoints: { host: 'extension/host/main.ts' }, external: ['vscode', ...native] },
  { ...node, entryPoints: { attnscope: 'extension/engine/main/cli.ts', runner: 'extension/engine/main/runner.ts', analysis: 'extension/engine/main/analysis.ts' }, external: native },
  { entryPoints: { webview: 'webview/main.tsx' }, bundle: true, platform: 'browser', format: 'iife', target: 'es2022', sourcemap: true, jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning', loader: { '.ttf': 'file', '.css': 'css' } },
];
const options = bundles.map(b => ({ ...b, outdir: 'dist' }));

/** Files read at run time: the Python grammar and the shaders. */
function copyAssets() {
  mkdirSync('dist', { recursive: true });
  cpSync('node_modules/web-tree-sitter/web-tree-sitter.wasm', 'dist/web-tree-sitter.wasm');
  cpSync('node_modules/tree-sitter-python/tree-sitter-python.wasm', 'dist/tree-sitter-python.wasm');
  cpSync('shaders', 'dist/shaders', { recursive: true, filter: from => !from.endsWith('.md') });
}

/** Rewrites the generated parts of tracked files; `test/repo.test.ts` fails while any is stale. */
async function generate() {
  const outfile = join('node_modules', '.cache', 'attnscope-generate.mjs');
  await build({ entryPoints: ['extension/host/manifest/generate.ts'], bundle: true, platform: 'node', format: 'esm', target: 'node20', outfile, logLevel: 'warning' });
  const { generate: write } = await import(pathToFileURL(outfile).href);
  for (const path of write(process.cwd())) console.log(`generated ${path}`);
}

if (process.argv.includes('--generate')) {
  await generate();
} else if (process.argv.includes('--watch')) {
  copyAssets();
  for (const o of options) await (await context(o)).watch();
} else {
  rmSync('dist', { recursive: true, force: true });
  copyAssets();
  await Promise.all(options.map(o => build(o)));
}
