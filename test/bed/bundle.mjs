/** TypeScript of the tests for scripts that Node runs as they are: bundled, then imported. */
import { build } from 'esbuild';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run.mjs';

/** What `file`, a path within the checkout, exports. */
export async function importBundled(file) {
  const outfile = join(root, `node_modules/.cache/attnscope-${basename(file, '.ts')}.mjs`);
  await build({ entryPoints: [join(root, file)], bundle: true, platform: 'node', format: 'esm', target: 'node20', outfile, external: ['onnxruntime-node', 'webgpu'], define: { 'import.meta.dirname': JSON.stringify(join(root, dirname(file))) }, banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }, logLevel: 'error' });
  return import(pathToFileURL(outfile).href);
}
