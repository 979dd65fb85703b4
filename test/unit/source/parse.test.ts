/** What the parser reads from Python: ranges, values, calls; its bounds; and that tree-sitter reads the same. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { maxSourceBytes, parsePython } from '../../../extension/source/python-parser.ts';
import type { PythonModule, TextRange } from '../../../extension/source/python-module.ts';
import { classOf, document, fixture, fixtureText, textAt } from './support.ts';
import { createYardstick } from './tree-sitter.ts';

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
  it('ends a bracket that is still open where a statement starts', () => {
    const text = 'class A(nn.Module):\n    def __init__(self):\n        self.a = B(1,\n\n    def forward(self, x):\n        return self.a(x\n\nclass C(nn.Module):\n    pass\n';
    const { classes } = parsePython(text);
    expect(classes.map(c => [c.name, c.methods.map(m => m.name)])).toEqual([['A', ['__init__', 'forward']], ['C', []]]);
    expect(classes[0].methods[1].calls.map(c => c.target)).toEqual([['a']]);
  });
  it('reads a megabyte of any one thing without losing its breath', () => {
    const hostile = { parentheses: '('.repeat(1e6), brackets: `x = ${'[{('.repeat(3e5)}`, not: `${'not '.repeat(2e5)}x`, minus: `${'-'.repeat(1e6)}x`, lambda: 'lambda: '.repeat(1e5), sum: `x${' + x'.repeat(2e5)}`, dots: `x${'.y'.repeat(4e5)}`, powers: `x${' ** x'.repeat(2e5)}`, calls: `x${'()'.repeat(3e5)}`, assignments: 'x = '.repeat(2e5), async: 'async '.repeat(1e5), fields: 'f"{'.repeat(3e5), quotes: `f'{"`.repeat(2e5), tern: `${'x if y else '.repeat(8e4)}z`, blocks: Array.from({ length: 1300 }, (_, i) => `${' '.repeat(i)}if x:`).join('\n'), decorators: '@x\n'.repeat(1e5), clauses: `if x:\n y\n${'elif x:\n y\n'.repeat(5e4)}` };
    for (const [name, text] of Object.entries(hostile)) {
      const started = performance.now();
      expect(parsePython(`class A(B): pass\n${text}`).classes[0].name, name).toBe('A');
      // All of them take well under a second; a text that is read again and again takes minutes.
      expect(performance.now() - started, name).toBeLessThan(20_000);
    }
  });
  it('survives deep nesting, long chains, and thousands of variables that refer to each other', async () => {
    const deep = `class A(nn.Module):\n  def forward(self, x):\n    return ${'('.repeat(3000)}x${')'.repeat(3000)}\nclass B(nn.Module): pass\n`;
    expect(parsePython(deep).classes.map(c => c.name)).toEqual(['A', 'B']);
    const chain = `class A(nn.Module):\n  def __init__(self):\n    a0 = B()\n${Array.from({ length: 2000 }, (_, i) => `    a${i + 1} = [a${i}, a${i}]`).join('\n')}\n    self.x = nn.ModuleList(a2000)\n`;
    expect(parsePython(chain).classes[0].attributes[0].name).toBe('x');
  });
});

describe('agrees with tree-sitter', () => {
  /** A comment after the last line of a class or function counts to its range there, and not here. */
  const comparable = (module: PythonModule): unknown => JSON.parse(JSON.stringify(module, (key, value: unknown) => (key === 'range' && (value as TextRange).end ? (value as TextRange).start : value)));
  it('on the fixtures, and cut off anywhere as when somebody types', async () => {
    const yardstick = await createYardstick();
    for (const name of ['nanogpt.py', 'hf_style.py', 'mixed.py', 'modern.py', 'subclass.py', 'decoy.py']) {
      const text = fixtureText(name);
      expect(comparable(parsePython(text)), name).toEqual(comparable(yardstick(text)));
      // Of half a file no two parsers say the same; ours keeps every class whose first line is whole.
      for (let cut = 40; cut < text.length; cut += 97) {
        const part = text.slice(0, cut), whole = [...part.matchAll(/^class (\w+)[^\n]*:\n/gm)].map(m => m[1]);
        expect(parsePython(part).classes.map(c => c.name), `${name} to ${cut}`).toEqual(expect.arrayContaining(whole));
      }
    }
  });
  it('on what grammars stumble over', async () => {
    const yardstick = await createYardstick();
    const text = ['from __future__ import annotations', 'from . import a as b, c', 'from ..x.y import (d, e as f,)', 'import g.h as i, j', 'X: dict[str, type] = {"a": A, **more, "b": lambda x, y=1, *z: B(x)}', 'P = Q = (A if t else B), *rest',
      '@deco(1)', '@other', 'class A[T](Base[T], metaclass=M, **kw):', '    x: int', '    y: "int" = 3; z = [A(i) for i in range(3) if i if i > 1]', '    async def forward(self, x, /, *args: int, k: Callable[[int], str] = f(1), **kw) -> tuple[int, ...]:',
      '        """doc"""', '        async for a, (b, *c) in self.layers: await a(x)[1:2, ::3, ...]', '        with open(x) as f, (self.m(x)) as g: pass', '        with (open(x) as f, self.n(x)): return self.attn(*x, **kw)', '        if (n := self.inner(x)) is not None and not x in y or x not in z: yield from self.gen(x)',
      '        elif x: raise E(x) from self.err(x)', '        else:', '            try: self.a = self.b = nn.Linear(1, 2)', '            except (A, B) as e: del x', '            except* C: pass', '            else: global q', '            finally: assert self.ok(x), "no"', '        while 1: x += self.step(x) ** -2 if x < 3 < 4 else ~x @ self.w',
      '        self.t = torch.nn.ModuleList(B(i) for i in x)', '        x = x if self.p(x) else {k: v for k, v in self.d.items()}', `        return f'{x["a"]!r:>{w}} {{}}' 'b' rb'c', {self.s(x)}, -x.y.z()[0](1)`, '    forward = staticmethod(lambda: 1)', 'if TYPE_CHECKING:', '\tfrom k import *', 'else:', '\tclass L: pass', 'match(x)', 'match = 3', ''].join('\n');
    expect(comparable(parsePython(text))).toEqual(comparable(yardstick(text)));
    const cases = 'class A:\n    def f(self, x):\n        match x:\n            case {"a": [1, *_]} if self.g(x):\n                self.h(x)\n            case _: return self.i(x)\n        return self.j(x)\n';
    expect(parsePython(cases).classes[0].methods[0].calls.map(c => c.target.join())).toEqual(['h', 'i', 'j']);
  });
});
