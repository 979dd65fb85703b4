/** Sites get the class that really ran, by each level of evidence, and no other class gets numbers: decoys, subclasses, twins. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { linkSites, type SiteLink } from '../../../extension/source/link.ts';
import type { SourceDocument } from '../../../extension/source/python-module.ts';
import { classOf, demoFile, document, fixture, fixtureText, lineOf, nodeSite, site, textAt } from './support.ts';
import type { Site } from '../../../extension/contract/site.ts';

const link = (sites: readonly Site[], ...documents: SourceDocument[]): readonly SiteLink[] => linkSites({ sites, modelFile: 'model.onnx' }, documents);
const brief = (l: SiteLink): string => `${l.level} ${l.className ?? '-'} ${l.path?.split('/').at(-1) ?? '-'}`;
const others = async (): Promise<SourceDocument[]> => Promise.all(['decoy.py', 'mixed.py', 'modern.py'].map(fixture));

describe('node path', () => {
  it('walks ModuleDict, ModuleList and comprehension, and knows assignment and calls', async () => {
    const text = fixtureText('nanogpt.py');
    const links = link([0, 1, 11].map(i => nodeSite(i, `/transformer/h.${i}/attn/Softmax`)), await fixture('nanogpt.py'), ...await others());
    expect(links.map(brief)).toEqual(Array(3).fill('node-path CausalSelfAttention nanogpt.py'));
    const [first] = links;
    expect(first.how).toBe('The node `/transformer/h.0/attn/Softmax` belongs to module `transformer.h.0.attn`: walked from class `GPT`.');
    expect(textAt(text, first.classRange!)).toBe('class CausalSelfAttention(nn.Module)');
    expect(textAt(text, first.assign!.range)).toBe('self.attn = CausalSelfAttention(config)');
    expect(textAt(text, first.call!.range)).toBe('self.attn');
    expect(first.steps.map(s => `${s.holder}.${s.attribute}`)).toEqual(['GPT.transformer', 'Block.attn']);
    expect(first.steps[0].calls.map(c => textAt(text, c.range))).toEqual(['block']);
  });
  it.each([
    ['a wrapper that the export added', '/wrapped/transformer/h.3/attn/Softmax'],
    ['two wrappers', '/wrapper/model/transformer/h.3/attn/Softmax_1'],
  ])('passes over %s', async (_, node) => {
    expect(link([nodeSite(3, node)], await fixture('nanogpt.py')).map(brief)).toEqual(['node-path CausalSelfAttention nanogpt.py']);
  });
  it('never leaves out the number of the layer to make a path fit', async () => {
    const [l] = link([nodeSite(0, '/encoder/layer.0/attn/Softmax')], await fixture('nanogpt.py'));
    expect(brief(l)).toBe('none - -');
    expect(l.how).toBe('No class in the open folder has the module path `encoder.layer.0.attn`.');
  });
  it('reads the repeated names of called containers, and loops that append', async () => {
    expect(link([nodeSite(0, '/layers/layers.0/self_attn/Softmax')], await fixture('modern.py')).map(brief)).toEqual(['node-path LyraAttention modern.py']);
  });
  it('follows parts given from outside, deep copies, ordered dictionaries, partials, functions, and methods that build', async () => {
    const mixed = await fixture('mixed.py');
    const names = (nodes: string[]) => link(nodes.map((n, i) => nodeSite(i, n)), mixed).map(l => `${l.className} ${l.steps.at(-1)?.holder}.${l.steps.at(-1)?.attribute}`);
    expect(names(['/layers.0.0/fn/attend/Softmax', '/layers.1.0/fn/attend/Softmax'])).toEqual(['EinsumMixer PreNorm.fn', 'EinsumMixer PreNorm.fn']);
    expect(names(['/stages/first/attention/Softmax', '/stages/second/attention/Softmax'])).toEqual(['TorchBlock TorchBlock.attention', 'TorchBlock TorchBlock.attention']);
    expect(names(['/body/body.1/mixer/Softmax', '/head/mixer/Softmax'])).toEqual(['EinsumMixer LocalLayer.mixer', 'EinsumMixer LocalLayer.mixer']);
    // The second part of a layer is a plain Linear: no attention there.
    expect(link([nodeSite(0, '/layers.0.1/fn/attend/Softmax')], mixed)[0].level).toBe('none');
  });
  it('from the exporter\'s scopes, where it wrote no classes, says so', async () => {
    const [l] = link([site(0, { module: 'transformer.h.0.attn', level: 'class-hierarchy' })], await fixture('nanogpt.py'));
    expect([l.className, l.how]).toEqual(['CausalSelfAttention', 'The exporter\'s scopes name the module `transformer.h.0.attn`: walked from class `GPT`.']);
  });
  it('tells self from cross attention by what the graph shows', async () => {
    const text = `class SelfAttention(nn.Module):\n    def forward(self, q, k, v): return F.scaled_dot_product_attention(q, k, v)\nclass CrossAttention(SelfAttention):\n    pass\nclass Layer(nn.Module):\n    def __init__(self, cross=False):\n        kind = CrossAttention if cross else SelfAttention\n        self.attn = kind()\nclass Model(nn.Module):\n    def __init__(self):\n        self.layers = nn.ModuleList([Layer(cross=i > 3) for i in range(6)])\n`;
    const both = [nodeSite(0, '/layers.0/attn/Softmax'), { ...nodeSite(4, '/layers.4/attn/Softmax'), kind: 'cross' as const }];
    expect(link(both, await document(text, '/p/a.py')).map(brief)).toEqual(['node-path SelfAttention a.py', 'node-path CrossAttention a.py']);
  });
  it('says none where a table of classes leaves several', async () => {
    const [l] = link([nodeSite(0, '/model/layers.0/self_attn/Softmax')], await fixture('hf_style.py'));
    expect(l.level).toBe('none');
    expect(l.how).toBe('Several classes fit the module path `model.layers.0.self_attn`: `NovaAttention` in `project/hf_style.py`, `NovaSdpaAttention` in `project/hf_style.py`. None of them is given the numbers.');
  });
});

describe('initializer names', () => {
  it('lead the same way, and the level says so', async () => {
    const [l] = link([site(1, { module: 'transformer.h.1.attn', level: 'initializer' })], await fixture('nanogpt.py'));
    expect(brief(l)).toBe('initializer CausalSelfAttention nanogpt.py');
    expect(l.how).toBe('The weights of this site are called `transformer.h.1.attn`: walked from class `GPT`.');
  });
});

describe('class hierarchy', () => {
  const at = (layer: number, name: string, more: Partial<Site['source']> = {}) => site(layer, { module: `model.layers.${layer}.self_attn`, class: name, level: 'class-hierarchy', ...more });
  it('chooses from the table', async () => {
    const found = link([at(0, 'NovaSdpaAttention'), at(1, 'NovaAttention')], await fixture('hf_style.py'), ...await others());
    expect(found.map(brief)).toEqual(['class-hierarchy NovaSdpaAttention hf_style.py', 'class-hierarchy NovaAttention hf_style.py']);
    expect(textAt(fixtureText('hf_style.py'), found[0].assign!.range)).toMatch(/^self\.self_attn = NOVA_ATTENTION_CLASSES/);
  });
  it('refuses a class that is not among the files, and the leaf modules of the library', async () => {
    const [l] = link([at(0, 'GPT2Attention')], await fixture('hf_style.py'), ...await others());
    expect(brief(l)).toBe('none - -');
    expect(l.how).toBe('It ran in class `GPT2Attention`, which is in none of the open folder\'s files.');
    expect(link([site(0, { module: 'transformer.h.0.attn', class: 'Softmax', level: 'class-hierarchy' })], await fixture('nanogpt.py')).map(brief)).toEqual(['node-path CausalSelfAttention nanogpt.py']);
  });
  it('tells classes of one name by the file that imports them', async () => {
    const documents = await Promise.all(['two/model.py', 'two/text_attention.py', 'two/vision_attention.py', 'decoy.py'].map(fixture));
    const found = link([0, 1].map(i => site(i, { module: `blocks.${i}.attn`, class: 'Attention', level: 'class-hierarchy' })), ...documents);
    expect(found.map(brief)).toEqual(Array(2).fill('class-hierarchy Attention text_attention.py'));
    expect(found[0].assign!.path).toBe('/home/me/project/two/model.py');
  });
  it('tells them by the module that the exporter wrote before the name', async () => {
    const documents = await Promise.all(['two/model.py', 'two/twin.py', 'two/text_attention.py', 'two/vision_attention.py'].map(fixture));
    const named = (name: string) => link([site(0, { module: 'other.attn', class: name, level: 'class-hierarchy' })], ...documents).map(brief)[0];
    expect(named('two.vision_attention.Attention')).toBe('class-hierarchy Attention vision_attention.py');
    expect(named('two.audio_attention.Attention')).toBe('none - -');
  });
  it('gives numbers to neither when two model trees lead to two classes of one name', async () => {
    const documents = await Promise.all(['two/model.py', 'two/twin.py', 'two/text_attention.py', 'two/vision_attention.py'].map(fixture));
    for (const sites of [[site(0, { module: 'blocks.0.attn', class: 'Attention', level: 'class-hierarchy' })], [nodeSite(0, '/blocks.0/attn/Softmax')]]) {
      const [l] = link(sites, ...documents);
      expect(l.level).toBe('none');
      expect(l.how).toMatch(/^Several classes fit .*`Attention` in `two\/text_attention.py`, `Attention` in `two\/vision_attention.py`\. None of them is given the numbers\.$/);
    }
  });
  it('leaves a lone decoy alone when the model leads elsewhere, or when the file that ran is known and not here', async () => {
    const renamed = await document(fixtureText('nanogpt.py'), '/home/me/project/nanogpt.py');
    const away = link([site(0, { module: 'transformer.h.0.attn', class: 'Attention', level: 'class-hierarchy' })], renamed, await fixture('decoy.py'));
    expect(away.map(brief)).toEqual(['none - -']);
    expect(away[0].how).toBe('The model\'s modules lead to `CausalSelfAttention`, not to the class `Attention` that is here.');
    const elsewhere = link([site(0, { module: 'layers.0.attn', class: 'Attention', file: '/opt/lib/x/modeling_x.py', line: 40, level: 'stack-trace' })], await fixture('decoy.py'));
    expect(elsewhere.map(brief)).toEqual(['none - -']);
  });
});

describe('stack trace', () => {
  const text = fixtureText('decoy.py');
  const line = lineOf(text, 'F.scaled_dot_product_attention');
  const at = (file: string, l: number, more: Partial<Site['source']> = {}) => site(0, { module: 'layers.0.attn', class: 'Attention', file, line: l, level: 'stack-trace', ...more });
  it('matches by the end of the path before the name of the file', async () => {
    const here = await document(text, '/home/me/project/nets/model.py');
    const there = await document(text, '/home/me/project/old/model.py');
    const [l] = link([at('/build/agent/nets/model.py', line)], there, here);
    expect(brief(l)).toBe('stack-trace Attention model.py');
    expect(l.path).toBe('/home/me/project/nets/model.py');
    expect(l.line).toBe(line - 1);
    expect(l.how).toBe(`The exporter wrote that it ran in \`model.py\`, line ${line}.`);
  });
  it('reads paths of Windows, and says when only the file name fits', async () => {
    const [l] = link([at('C:\\Users\\x\\train\\decoy.py', line)], await fixture('decoy.py'));
    expect(l.how).toBe(`The exporter wrote that it ran in \`decoy.py\` (found by its file name), line ${line}.`);
  });
  it('gives none when the same file stands twice and nothing tells them apart', async () => {
    const [l] = link([at('/x/model.py', line)], await document(text, '/a/model.py'), await document(text, '/b/model.py'));
    expect(l.level).toBe('none');
    expect(l.how).toMatch(/^Several classes fit the exporter's `\/x\/model.py`, line \d+/);
  });
  it('finds the class by its name when the text has moved, even onto another attention', async () => {
    const moved = await document(`${fixtureText('nanogpt.py')}\n${text}`, '/home/me/project/decoy.py');
    const [l] = link([at('/build/project/decoy.py', lineOf(fixtureText('nanogpt.py'), 'y = att @ v'))], moved);
    expect(brief(l)).toBe('stack-trace Attention decoy.py');
    expect(l.line).toBe(classOf(moved, 'Attention').headerRange.start.line);
    expect(l.how).toContain('the text has changed since, and `Attention` was found by its name.');
  });
  it('does not believe a file name when the class that ran is not in it', async () => {
    const [l] = link([at('/opt/lib/llama/decoy.py', line, { class: 'LlamaAttention' })], await fixture('decoy.py'));
    expect(brief(l)).toBe('none - -');
  });
});

describe('subclass', () => {
  const text = fixtureText('subclass.py');
  const line = lineOf(text, 'return F.scaled_dot_product_attention');
  it.each([
    ['stack trace of the base, class of the instance', [0, 1].map(i => site(i, { module: `layers.${i}.attn`, class: 'CausalAttention', file: '/x/subclass.py', line, level: 'stack-trace' })), 'stack-trace'],
    ['stack trace of the base, module path only', [0, 1].map(i => site(i, { module: `layers.${i}.attn`, file: '/x/subclass.py', line, level: 'stack-trace' })), 'stack-trace'],
    ['class hierarchy', [0, 1].map(i => site(i, { module: `layers.${i}.attn`, class: 'CausalAttention', level: 'class-hierarchy' })), 'class-hierarchy'],
    ['node path', [0, 1].map(i => nodeSite(i, `/layers.${i}/attn/Softmax`)), 'node-path'],
  ] as const)('the instantiated class gets the numbers: %s', async (_, sites, level) => {
    const found = link(sites, await fixture('subclass.py'), await fixture('decoy.py'));
    expect(found.map(brief)).toEqual(Array(2).fill(`${level} CausalAttention subclass.py`));
    expect(found[0].forward).toMatchObject({ className: 'Attention' });
    expect(found[0].how).toMatch(/Its `forward` is inherited from `Attention`\.$/);
    expect(textAt(text, found[0].assign!.range)).toBe('self.attn = self.attention_class(width, heads)');
  });
  it('a stack trace of the base alone decides nothing while heirs may have run', async () => {
    const [l] = link([site(0, { file: '/x/subclass.py', line, level: 'stack-trace' })], await fixture('subclass.py'));
    expect(l.level).toBe('none');
  });
});

it('keeps names of hostile models inert', async () => {
  const [l] = link([nodeSite(0, '/a`](command:evil)\n# x/layers.0/attn/Softmax')], await fixture('nanogpt.py'));
  expect(l.how.replace(/`[^`\n]*`/g, '')).not.toMatch(/[[\]()#\n`]/);
});

it('ends on files that refer to each other in circles', async () => {
  const circle = await document('from b import B\nX = Y\nY = X\nclass A(B):\n    def __init__(self):\n        self.a = self.a\n        self.f = X(self.f)\n        self.layers = [self.layers, A(self.layers)]\n    def forward(self, x): return self.forward(x)\n', '/p/a.py');
  const back = await document('from a import A\nclass B(A):\n    def make(self): return self.make()\n    def __init__(self):\n        self.m = self.make()\n', '/p/b.py');
  const started = performance.now();
  const sites = ['a', 'f', 'layers.0', 'm', 'layers.1.layers.0.layers.1.layers.0'].map((m, i) => nodeSite(i, `/${m}/Softmax`));
  expect(link(sites, circle, back).map(l => l.level)).toEqual(expect.arrayContaining(['none']));
  expect(performance.now() - started).toBeLessThan(30_000);
});

describe('the demo model', () => {
  it('exists', () => expect(existsSync(demoFile)).toBe(true));
  it('is linked by node path and by stack trace, past a decoy', async () => {
    const text = readFileSync(demoFile, 'utf8');
    const demo = await document(text, '/home/me/demo/model.py');
    const sites = Array.from({ length: 6 }, (_, i) => nodeSite(i, `/layers.${i}/attn/Softmax`));
    expect(link(sites, await fixture('decoy.py'), demo).map(brief)).toEqual(Array(6).fill('node-path Attention model.py'));
    const traced = sites.map((_, i) => site(i, { module: `layers.${i}.attn`, class: 'Attention', file: 'media/demo/model.py', line: lineOf(text, 'F.scaled_dot_product_attention'), level: 'stack-trace' }));
    const links = link(traced, await fixture('decoy.py'), demo);
    expect(links.map(brief)).toEqual(Array(6).fill('stack-trace Attention model.py'));
    expect(links[0].steps.map(s => [s.attribute, s.assigns.length, s.calls.map(c => textAt(text, c.range))])).toEqual([['layers', 1, ['layer']], ['attn', 1, ['self.attn']]]);
  });
});
