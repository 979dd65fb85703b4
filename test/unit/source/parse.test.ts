/** What the parser reads from Python: ranges, values, calls; its bounds. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { createPythonParser, maxSourceBytes } from '../../../extension/source/python-parser.ts';
import { classOf, document, fixture, fixtureText, parsePython, textAt, wasmFiles } from './support.ts';

describe('classes, attributes, calls', () => {
  it('finds classes with the range of their name and first line', async () => {
    const text = fixtureText('nanogpt.py');
    const { module } = await fixture('nanogpt.py');
    expect(module.classes.map(c => c.name)).toEqual(['LayerNorm', 'CausalSelfAttention', 'MLP', 'Block', 'GPT', 'Router']);
    for (const cls of module.classes) {
      expect(textAt(text, cls.nameRange)).toBe(cls.name);
      expect(textAt(text, cls.headerRange)).toBe(`class ${cls.name}(nn.Module)`);
      expect(textAt(text, cls.range)).toMatch(new RegExp(`^class ${cls.name}[\\s\\S]*return `));
      expect(cls.bases).toEqual(['nn.Module']);
    }
  });
  it('reads what attributes are built from, with the range of the statement', async () => {
    const text = fixtureText('nanogpt.py');
    const attention = classOf(await fixture('nanogpt.py'), 'Block').attributes.find(a => a.name === 'attn')!;
    expect(textAt(text, attention.range)).toBe('self.attn = CausalSelfAttention(config)');
    expect(attention.value).toMatchObject({ kind: 'call', callee: { kind: 'name', name: 'CausalSelfAttention' } });
    const tree = classOf(await fixture('nanogpt.py'), 'GPT').attributes.find(a => a.name === 'transformer')!;
    expect(tree.value).toMatchObject({ kind: 'call', args: [{ kind: 'dict', entries: [['wte', {}], ['h', { kind: 'call', args: [{ kind: 'list', repeated: true }] }], ['ln_f', {}]] }] });
  });
  it('follows loops, slices, enumerations, checkpoints, and literal indices to the submodule that is called', async () => {
    const calls = async (file: string, cls: string) => classOf(await fixture(file), cls).methods.flatMap(m => m.calls.map(c => c.target.join('.')));
    expect(await calls('nanogpt.py', 'GPT')).toEqual(expect.arrayContaining(['transformer.h.*', 'transformer.wte', 'lm_head']));
    expect((await calls('hf_style.py', 'NovaModel')).filter(c => c === 'layers.*')).toHaveLength(2);
    expect(await calls('subclass.py', 'Encoder')).toContain('layers.*');
    expect(await calls('mixed.py', 'ViT')).toEqual(expect.arrayContaining(['layers.*.0', 'layers.*.1']));
    const text = 'class A(nn.Module):\n  def forward(self, x):\n    x = self.net[1](x)\n    y = [b(x) for b in reversed(self.bs)]\n    for n, m in self.named.items():\n      m(y)\n    f = self.attn\n    return f.forward(lambda t: self.inner(t))\n';
    expect(classOf(await document(text, 'a.py'), 'A').methods[0].calls.map(c => c.target.join('.'))).toEqual(expect.arrayContaining(['net.1', 'bs.*', 'named.*', 'attn', 'inner']));
  });
  it('counts columns in UTF-16 units and keeps nested classes', async () => {
    const text = 'x = "😀é"; y = 1\nclass Äußere(nn.Module):\n    "😀"; tag = "汉"\n    class Inner(nn.Module):\n        def __init__(self): self.ö, self.b = A("😀"), B()\n';
    const found = await document(text, 'a.py');
    expect(found.module.classes.map(c => c.qualifiedName)).toEqual(['Äußere', 'Äußere.Inner']);
    const inner = classOf(found, 'Äußere.Inner');
    expect(inner.attributes.map(a => a.name)).toEqual(['ö', 'b']);
    expect(textAt(text, inner.attributes[1].range)).toBe('self.ö, self.b = A("😀"), B()');
  });
  it('reads around syntax errors', async () => {
    const text = `${fixtureText('decoy.py')}\ndef broken(:\n    x = = 3\n`;
    expect((await document(text, 'a.py')).module.classes.map(c => c.name)).toContain('Attention');
  });
  it('reads CRLF', async () => {
    const cls = classOf(await document(fixtureText('decoy.py').replace(/\n/g, '\r\n'), 'a.py'), 'Attention');
    expect(cls.headerRange).toMatchObject({ start: { line: 5, column: 0 }, end: { line: 5, column: 26 } });
  });
});

describe('bounds', () => {
  it('refuses files over 4 MB with a sentence', async () => {
    expect(() => parsePython(' '.repeat(maxSourceBytes + 1))).toThrow(UserError);
    expect(() => parsePython(' '.repeat(maxSourceBytes + 1))).toThrow(/^The Python file has 4\.0 million characters; AttnScope reads up to 4 million\.$/);
  });
  it('gives up in a sentence on a long text of any one thing, or reads on', () => {
    const hostile = { parentheses: '('.repeat(1e5), brackets: `x = ${'[{('.repeat(3e4)}`, not: `${'not '.repeat(2e4)}x`, lambda: 'lambda: '.repeat(1e4), sum: `x${' + x'.repeat(2e4)}`, dots: `x${'.y'.repeat(4e4)}`, calls: `x${'()'.repeat(3e4)}`, fields: 'f"{'.repeat(3e4), blocks: Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}if x:`).join('\n'), decorators: '@x\n'.repeat(1e4), clauses: `if x:\n y\n${'elif x:\n y\n'.repeat(5e3)}` };
    for (const [name, text] of Object.entries(hostile)) {
      const started = performance.now();
      try { expect(parsePython(`class A(B): pass\n${text}`), name).toHaveProperty('classes'); } catch (error) { expect(error, name).toBeInstanceOf(UserError); }
      // The parser stops after 3 s; a text that is read again and again takes minutes.
      expect(performance.now() - started, name).toBeLessThan(20_000);
    }
  }, 120_000);
  it('survives deep nesting, long chains, and thousands of variables that refer to each other', async () => {
    const deep = `class A(nn.Module):\n  def forward(self, x):\n    return ${'('.repeat(3000)}x${')'.repeat(3000)}\nclass B(nn.Module): pass\n`;
    expect(parsePython(deep).classes.map(c => c.name)).toEqual(['A', 'B']);
    const chain = `class A(nn.Module):\n  def __init__(self):\n    a0 = B()\n${Array.from({ length: 2000 }, (_, i) => `    a${i + 1} = [a${i}, a${i}]`).join('\n')}\n    self.x = nn.ModuleList(a2000)\n`;
    expect(parsePython(chain).classes[0].attributes[0].name).toBe('x');
  });
});

it('reads match statements', () => {
  const cases = 'class A:\n    def f(self, x):\n        match x:\n            case {"a": [1, *_]} if self.g(x):\n                self.h(x)\n            case _: return self.i(x)\n        return self.j(x)\n';
  expect(parsePython(cases).classes[0].methods[0].calls.map(c => c.target.join())).toEqual(expect.arrayContaining(['h', 'i', 'j']));
});

it('gives the same for the next version of a file as for a fresh one', async () => {
  const p = await createPythonParser(wasmFiles), first = fixtureText('hf_style.py');
  const versions = [first, first.replace('class NovaAttention(', '# é😀\n\nclass NovaAttention('), first.slice(0, 900), `${first}\nclass Last(nn.Module):\n    pass\n`, ''];
  for (const version of versions) expect(p.parse(version, 'kept.py')).toEqual(p.parse(version));
  p.forget('kept.py');
  p.dispose();
});

it('gives the same after many small edits: statements that did not change are not read again', async () => {
  const p = await createPythonParser(wasmFiles), whole = ['nanogpt.py', 'mixed.py', 'hf_style.py'].map(fixtureText).join('\n');
  let text = whole, seed = 11;
  const random = (n: number): number => { seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff; return (seed >> 8) % n; };
  const pieces = ['\n', 'x', ' #', '(', ')', '"""', '\nclass Z(nn.Module):\n    def forward(self, q): return q\n', 'nn.', '\'', '    ', '\nNAME = Z\n', '; y = Z()', ':'];
  for (let edit = 0; edit < 120; edit++) {
    const at = random(text.length), cut = random(3) === 0 ? random(60) : 0, next = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + cut);
    const fresh = p.parse(next);
    expect(p.parse(next, 'kept.py'), `edit ${edit} at ${at}`).toEqual(fresh);
    // Some edits are taken back, so that the text stays Python for the most part.
    text = edit % 10 === 9 ? whole : edit % 2 ? text : next;
  }
  p.dispose();
});

it('runs when bundled to CommonJS', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnscope-parser-')), outfile = join(folder, 'bundle.cjs'), root = resolve(import.meta.dirname, '../../..');
  try {
    const contents = `import { createPythonParser } from './extension/source/python-parser.ts';\nvoid createPythonParser(${JSON.stringify(wasmFiles)}).then(p => console.log(p.parse('class A(B): pass').classes[0].bases[0]));`;
    await build({ stdin: { contents, resolveDir: root, loader: 'ts' }, bundle: true, platform: 'node', format: 'cjs', target: 'node20', outfile, define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')] });
    expect(execFileSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8', timeout: 30_000 }).trim()).toBe('B');
  } finally { rmSync(folder, { recursive: true, force: true }); }
});
