/** Builds everything into dist/: one bundle per room; native modules stay external; `--watch`, `--generate`. */
import { build, context } from 'esbuild';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const node = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', sourcemap: true, logLevel: 'warning', loader: { '.node': 'empty' }, define: { 'import.meta.url': '__importMetaUrl' }, inject: ['extension/cjs-shim.js'] };
const native = ['onnxruntime-node', 'webgpu'];
const bundles = [
  { ...node, entryPoints: { host: 'extension/host/main.ts' }, external: ['vscode', ...native] },
  { ...node, entryPoints: { attnscope: 'extension/engine/main/cli.ts', runner: 'extension/engine/main/runner.ts', analysis: 'extension/engine/main/analysis.ts' }, external: native },
  { entryPoints: { webview: 'webview/main.tsx' }, bundle: true, platform: 'browser', format: 'iife', target: 'es2022', sourcemap: true, minify: true, jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning', loader: { '.ttf': 'file', '.css': 'css' } },
];
const options = bundles.map(b => ({ ...b, outdir: 'dist' }));

/** Files read at run time: the Python grammar and the shaders. */
function copyAssets() {
  mkdirSync('dist', { recursive: true });
  cpSync('node_modules/web-tree-sitter/web-tree-sitter.wasm', 'dist/web-tree-sitter.wasm');
  cpSync('node_modules/tree-sitter-python/tree-sitter-python.wasm', 'dist/tree-sitter-python.wasm');
  cpSync('shaders', 'dist/shaders', { recursive: true, filter: from => !from.endsWith('.md') });
}

/** Rewrites the generated parts of tracked files; tests fail while any is stale. The registries come first: the table of operators is read from one of them. */
async function generate() {
  const { generate: write } = await bundled('extension/host/manifest/generate.ts');
  for (const path of write(process.cwd())) console.log(`generated ${path}`);
  const { operatorTable } = await bundled('extension/engine/sites/operator-table.ts'), table = 'extension/engine/sites/OPERATORS.md';
  if (existsSync(table) && readFileSync(table, 'utf8') === operatorTable()) return;
  writeFileSync(table, operatorTable());
  console.log(`generated ${table}`);
}

/** A module of ours as it is now. */
async function bundled(entry) {
  const outfile = join('.cache', 'generate', `${basename(entry, '.ts')}.mjs`);
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', target: 'node20', outfile, logLevel: 'warning' });
  return import(pathToFileURL(outfile).href);
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
