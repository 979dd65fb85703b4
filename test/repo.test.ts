/** The house rules as tests: who may import whom, every room has its sentence, nothing generated is stale, nothing private leaks. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { staleGenerated } from '../extension/host/manifest/generate.ts';

const root = resolve(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(file => file && existsSync(join(root, file)));
const sources = tracked.filter(file => /^(extension|webview)\/.*\.tsx?$/.test(file));
const text = (file: string): string => readFileSync(join(root, file), 'utf8');

/** ARCHITECTURE.md's table: a room, what it may import of ours, and which packages. The longest matching room wins. */
const rooms: Readonly<Record<string, { readonly ours: readonly string[]; readonly packages: readonly string[] }>> = {
  'extension/contract': { ours: ['extension/contract'], packages: [] },
  'extension/children': { ours: ['extension/children', 'extension/contract'], packages: ['node:'] },
  'extension/source': { ours: ['extension/source', 'extension/contract'], packages: ['web-tree-sitter'] },
  'extension/host': { ours: ['extension/host', 'extension/contract', 'extension/source', 'extension/children'], packages: ['vscode', 'node:'] },
  'extension/engine/main': { ours: ['extension/engine', 'extension/contract', 'extension/source', 'extension/children'], packages: ['node:', 'pngjs'] },
  'extension/engine/folder': { ours: ['extension/engine/folder', 'extension/contract'], packages: ['node:', '@huggingface/jinja'] },
  'extension/engine/onnx': { ours: ['extension/engine/onnx', 'extension/engine/folder', 'extension/contract', 'extension/engine/maths'], packages: ['node:'] },
  'extension/engine/sites': { ours: ['extension/engine/sites', 'extension/engine/onnx', 'extension/engine/folder', 'extension/contract', 'extension/engine/maths'], packages: [] },
  'extension/engine/trace': { ours: ['extension/engine/trace', 'extension/engine/onnx', 'extension/engine/sites', 'extension/contract', 'extension/engine/maths'], packages: ['node:', 'valibot', 'pngjs'] },
  'extension/engine/images': { ours: ['extension/engine/images', 'extension/contract'], packages: ['node:', 'pngjs', 'valibot'] },
  'extension/engine/audio': { ours: ['extension/engine/audio', 'extension/contract', 'extension/engine/maths'], packages: ['node:'] },
  'extension/engine/run': { ours: ['extension/engine/run', 'extension/engine/images', 'extension/engine/folder', 'extension/engine/onnx', 'extension/engine/sites', 'extension/engine/trace', 'extension/contract', 'extension/engine/maths'], packages: ['node:'] },
  'extension/engine/run/tokens': { ours: ['extension/engine/run/tokens', 'extension/engine/folder', 'extension/engine/trace', 'extension/contract'], packages: ['node:', '@huggingface/tokenizers', 'valibot'] },
  'extension/engine/run/inputs': { ours: ['extension/engine/run/inputs', 'extension/engine/run/tokens', 'extension/engine/audio', 'extension/engine/images', 'extension/engine/folder', 'extension/engine/onnx', 'extension/engine/trace', 'extension/contract', 'extension/engine/maths'], packages: ['node:', 'valibot'] },
  'extension/engine/run/session': { ours: ['extension/engine/run/session', 'extension/engine/run/inputs', 'extension/engine/onnx', 'extension/engine/sites', 'extension/contract'], packages: ['node:', 'onnxruntime-node'] },
  'extension/engine/run/taps': { ours: ['extension/engine/run/taps', 'extension/engine/run/session', 'extension/engine/run/inputs', 'extension/engine/onnx', 'extension/engine/sites', 'extension/engine/trace', 'extension/contract', 'extension/engine/maths'], packages: [] },
  'extension/engine/run/generate': { ours: ['extension/engine/run', 'extension/engine/folder', 'extension/engine/onnx', 'extension/engine/sites', 'extension/engine/trace', 'extension/contract', 'extension/engine/maths'], packages: [] },
  'extension/engine/analysis': { ours: ['extension/engine', 'extension/contract'], packages: ['node:', 'pngjs'] },
  'extension/engine/compute': { ours: ['extension/engine/compute', 'extension/engine/onnx', 'extension/engine/trace', 'extension/contract', 'extension/engine/maths'], packages: ['node:', 'onnxruntime-node', 'webgpu'] },
  'extension/engine/metrics': { ours: ['extension/engine/metrics', 'extension/contract', 'extension/engine/maths'], packages: [] },
  'extension/engine/verdicts': { ours: ['extension/engine/verdicts', 'extension/contract', 'extension/engine/maths'], packages: [] },
  'extension/engine/maths': { ours: ['extension/engine/maths'], packages: [] },
  'webview/controls': { ours: ['webview', 'extension/contract'], packages: ['preact', '@preact/signals', '@vscode/webview-ui-toolkit', '@vscode/codicons'] },
  webview: { ours: ['webview', 'extension/contract'], packages: ['preact', '@preact/signals'] },
};
const roomOf = (file: string): string | undefined => Object.keys(rooms).filter(room => file.startsWith(`${room}/`)).sort((a, b) => b.length - a.length)[0];
const importsOf = (file: string): string[] => [...text(file).matchAll(/(?:^|[\s;(])(?:import|export)(?:[\s\S]{0,400}?from)?\s*\(?\s*['"]([^'"]+)['"]/gm)].map(match => match[1]);

describe('who imports whom', () => {
  it('finds the sources', () => expect(sources.length).toBeGreaterThan(20));
  it.each(sources)('%s', file => {
    const room = roomOf(file);
    expect(room, `${file} is in no known room; add it to ARCHITECTURE.md and to this table`).toBeDefined();
    const rule = rooms[room!];
    for (const name of importsOf(file).filter(found => !found.includes('${'))) {
      if (name.startsWith('.')) {
        if (/\.css$/.test(name)) continue;
        const target = relative(root, resolve(root, dirname(file), name));
        expect(rule.ours.some(allowed => target.startsWith(`${allowed}/`)), `${file} may not import ${target}`).toBe(true);
        expect(existsSync(join(root, target)), `${file} imports ${target}, which does not exist`).toBe(true);
      } else {
        expect(rule.packages.some(allowed => allowed.endsWith(':') ? name.startsWith(allowed) : name === allowed || name.startsWith(`${allowed}/`)), `${file} may not import ${name}`).toBe(true);
      }
    }
  });
});

describe('files', () => {
  const own = [...sources, ...tracked.filter(file => /^test\/.*\.(ts|mjs)$/.test(file))];
  it.each(own)('%s is short, kebab-case and opens with a sentence', file => {
    const body = text(file);
    expect(body.split('\n').length, `${file} is too long: split it by subject`).toBeLessThanOrEqual(450);
    expect(file.split('/').pop()).toMatch(/^[a-z0-9]+([-.][a-z0-9]+)*\.(tsx?|mjs)$/);
    expect(body.trimStart(), `${file} must open with a sentence`).toMatch(/^(#!.*\n)?(\/\*\*?|\/\/)/);
    expect(body, `${file}: no default exports`).not.toMatch(/^export default (?!defineConfig|\{)/m);
  });
  it('every room has a README of one sentence', () => {
    const folders = new Set(sources.map(dirname).filter(folder => !folder.includes('fixtures')));
    for (const folder of [...folders, 'shaders', 'media', 'test']) {
      if (folder === 'extension') continue;
      expect(existsSync(join(root, folder, 'README.md')), `${folder} has no README.md`).toBe(true);
    }
  });
  it('names no registry host and no path of a machine', () => {
    for (const file of tracked.filter(f => /\.(ts|tsx|mjs|js|json|py|wgsl|md|sh)$|\.ci\/run$/.test(f) && f !== 'test/repo.test.ts')) {
      expect(text(file), file).not.toMatch(/https?:\/\/[a-z.]*(npmjs|npm|debian|pypi|pythonhosted|crates|maven)[a-z.]*\//);
      if (!file.endsWith('.md')) expect(text(file), file).not.toMatch(/(^|[^a-zA-Z.])\/(work|farm)\//m);
    }
  });
  it('stays lean', () => {
    const bytes = tracked.reduce((sum, file) => sum + readFileSync(join(root, file)).byteLength, 0);
    expect(bytes).toBeLessThan(20 * 2 ** 20);
  });
});

it('nothing generated is stale (npm run generate)', () => expect(staleGenerated(root)).toEqual([]));

describe('packages named by our user stay and are used', () => {
  const manifest = JSON.parse(text('package.json')) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
  const uses: Readonly<Record<string, RegExp>> = {
    '@types/vscode': /^extension\/host\//, '@vscode/webview-ui-toolkit': /^webview\/controls\//, 'onnxruntime-node': /^extension\/engine\/run\//,
    esbuild: /^build\.mjs$/, '@vscode/test-electron': /^test\/workbench\//,
  };
  it.each(Object.keys(uses))('%s', name => {
    expect({ ...manifest.dependencies, ...manifest.devDependencies }).toHaveProperty([name]);
    const imported = name === '@types/vscode' ? 'vscode' : name;
    const users = tracked.filter(file => /\.(ts|tsx|mjs)$/.test(file) && file !== 'test/repo.test.ts' && new RegExp(`['"]${imported}(/[^'"]*)?['"]`).test(text(file)));
    expect(users.some(file => uses[name].test(file)), `${name} is used in ${users.join(', ') || 'no file'}`).toBe(true);
  });
  it('pins every version', () => {
    for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
