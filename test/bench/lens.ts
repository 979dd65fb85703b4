/** What the lenses of a Python file of 2,000 lines cost: Hugging Face's own wav2vec2, and a denser one made of the tests' fixtures. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { lensesFor } from '../../extension/source/lenses.ts';
import { createPythonParser } from '../../extension/source/python-parser.ts';

const lines = 2_000, rounds = 41, limitMs = 30;
const dense = ['nanogpt.py', 'hf_style.py', 'mixed.py', 'subclass.py'];

export interface LensReport { readonly name: string; readonly lines: number; readonly lenses: number; readonly firstMs: number; readonly medianMs: number; readonly cpuMs: number; readonly limitMs: number }

/**
 * From the text to the lenses, as after every keystroke: each round has one letter more; `root` is the checkout. The first is what a file
 * costs when it is opened in a fresh editor.
 */
export async function lensBench(root: string): Promise<readonly LensReport[]> {
  const parser = await createPythonParser({ runtimeWasm: join(root, 'dist/web-tree-sitter.wasm'), grammarWasm: join(root, 'dist/tree-sitter-python.wasm') });
  return [...realFile(root), { name: 'fixtures, dense', text: denseText(root) }].map(({ name, text }) => {
    const times: number[] = [], processor: number[] = [];
    let lenses = 0;
    for (let round = 0; round < rounds; round++) {
      const at = text.indexOf('\n', Math.floor(text.length * round / rounds)), now = `${text.slice(0, at)} #${text.slice(at)}`, cpu = process.cpuUsage(), start = performance.now();
      lenses = lensesFor({ path: '/a.py', text: now, module: parser.parse(now, name) }, []).length;
      times.push(performance.now() - start);
      const { user, system } = process.cpuUsage(cpu);
      processor.push((user + system) / 1_000);
    }
    const median = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[of.length >> 1];
    return { name, lines: text.split('\n').length, lenses, firstMs: times[0], medianMs: median(times), cpuMs: median(processor), limitMs };
  });
}

function realFile(root: string): readonly { readonly name: string; readonly text: string }[] {
  const lib = join(root, '.cache/venv/lib'), version = existsSync(lib) ? readdirSync(lib).find(name => name.startsWith('python3')) : undefined;
  const file = version === undefined ? undefined : join(lib, version, 'site-packages/transformers/models/wav2vec2/modeling_wav2vec2.py');
  return file === undefined || !existsSync(file) ? [] : [{ name: 'modeling_wav2vec2.py', text: readFileSync(file, 'utf8') }];
}

function denseText(root: string): string {
  const text = dense.map(name => readFileSync(join(root, 'test/unit/source/fixtures', name), 'utf8')).join('\n').split('\n');
  return Array.from({ length: lines }, (_, i) => text[i % text.length]).join('\n');
}
