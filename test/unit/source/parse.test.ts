/** What the parser reads from Python: ranges, values, calls; its bounds; its speed; and that it runs when bundled. */
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { maxSourceBytes } from '../../../extension/source/python-parser.ts';
import { classOf, document, fixture, fixtureText, parser, textAt, wasmFiles } from './support.ts';

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
    const p = await parser();
    expect(() => p.parse(' '.repeat(maxSourceBytes + 1))).toThrow(UserError);
    expect(() => p.parse(' '.repeat(maxSourceBytes + 1))).toThrow(/^The Python file has 4\.0 million characters; AttnScope reads up to 4 million\.$/);
  });
  it('survives deep nesting, long chains, and thousands of variables that refer to each other', async () => {
    const p = await parser();
    const deep = `class A(nn.Module):\n  def forward(self, x):\n    return ${'('.repeat(3000)}x${')'.repeat(3000)}\nclass B(nn.Module): pass\n`;
    expect(p.parse(deep).classes.map(c => c.name)).toEqual(['A', 'B']);
    const chain = `class A(nn.Module):\n  def __init__(self):\n    a0 = B()\n${Array.from({ length: 2000 }, (_, i) => `    a${i + 1} = [a${i}, a${i}]`).join('\n')}\n    self.x = nn.ModuleList(a2000)\n`;
    expect(p.parse(chain).classes[0].attributes[0].name).toBe('x');
  });
  it('gives the same for the next version of a file as for a fresh one', async () => {
    const p = await parser();
    const first = fixtureText('hf_style.py');
    const versions = [first, first.replace('class NovaAttention(', '# é😀\n\nclass NovaAttention('), first.slice(0, 900), `${first}\nclass Last(nn.Module):\n    pass\n`, ''];
    for (const version of versions) expect(p.parse(version, 'kept.py')).toEqual(p.parse(version));
    p.forget('kept.py');
  });
});

it('parses 2,000 lines in about 30 ms of processor time', async () => {
  const p = await parser();
  const text = ['nanogpt.py', 'hf_style.py', 'mixed.py', 'subclass.py'].map(fixtureText).join('\n').split('\n');
  const long = Array.from({ length: 2000 }, (_, i) => text[i % text.length]).join('\n');
  for (let i = 0; i < 5; i++) p.parse(long);
  const times = Array.from({ length: 7 }, () => {
    const before = process.cpuUsage();
    p.parse(long);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }).toSorted((a, b) => a - b);
  console.log(`2,000 lines: median ${times[3].toFixed(1)} ms, best ${times[0].toFixed(1)} ms`);
  // Twice the goal of 30 ms: test machines are slow, and shared.
  expect(times[0]).toBeLessThan(60);
});

it('runs when bundled to CommonJS', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnscope-parser-'));
  try {
    const outfile = join(folder, 'bundle.cjs');
    const root = resolve(import.meta.dirname, '../../..');
    const contents = `import { createPythonParser } from './extension/source/python-parser.ts';\nvoid createPythonParser(${JSON.stringify(wasmFiles)}).then(p => console.log(p.parse('class A(B): pass').classes[0].bases[0]));`;
    await build({ stdin: { contents, resolveDir: root, loader: 'ts' }, bundle: true, platform: 'node', format: 'cjs', target: 'node20', outfile, define: { 'import.meta.url': '__importMetaUrl' }, inject: [join(root, 'extension/cjs-shim.js')] });
    expect(execFileSync(process.execPath, [outfile], { cwd: folder, encoding: 'utf8', timeout: 30_000 }).trim()).toBe('B');
    expect(readFileSync(outfile, 'utf8').length).toBeLessThan(1_000_000);
  } finally { rmSync(folder, { recursive: true, force: true }); }
});
