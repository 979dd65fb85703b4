/** Classes that are chosen from tables: by a key that the code gives, by decorators and registries in other files, by getattr; where the key is not certain, none is chosen. */
import { describe, expect, it } from 'vitest';
import { linkSites } from '../../../extension/source/link.ts';
import type { SourceDocument } from '../../../extension/source/python-module.ts';
import { document, nodeSite } from './support.ts';

const attention = (name: string, decorator = ''): string => `${decorator && `${decorator}\n`}class ${name}(nn.Module):\n    def forward(self, q, k, v):\n        return F.scaled_dot_product_attention(q, k, v)\n`;
/** `params`: of the block that is built, after self. */
const model = (body: string, made = 'Block()', before = '', params = ''): string => `${before}class Block(nn.Module):\n    def __init__(self${params}):\n        ${body}\n    def forward(self, x):\n        return self.attn(x)\nclass Model(nn.Module):\n    def __init__(self, kind='flash'):\n        self.layers = nn.ModuleList([${made} for _ in range(2)])\n`;
const found = (site: string, ...documents: SourceDocument[]): string => { const [l] = linkSites({ sites: [nodeSite(0, site)], modelFile: 'm.onnx' }, documents); return l.className ?? l.how.replace(/`[^`]*`/g, '`…`').slice(0, 40); };
const at = '/layers.0/attn/Softmax';
const two = `${attention('Eager')}${attention('Flash')}`;
const table = `${two}TABLE = {'eager': Eager, 'flash': Flash}\n`;

describe('a dictionary of classes', () => {
  it.each([
    ['a literal key', model(`self.attn = TABLE['flash']()`, 'Block()', table), 'Flash'],
    ['get', model(`self.attn = TABLE.get('eager', Flash)()`, 'Block()', table), 'Eager'],
    ['a key that the one who builds gives', model(`self.attn = TABLE[kind]()`, `Block('flash')`, table, `, kind`), 'Flash'],
    ['by name', model(`self.attn = TABLE[kind]()`, `Block(kind='eager')`, table, `, kind`), 'Eager'],
    ['its default, where the builder leaves it out', model(`self.attn = TABLE[kind]()`, 'Block()', table, `, kind='eager'`), 'Eager'],
    ['a constant of the module', model(`self.attn = TABLE[KIND]()`, 'Block()', `${table}KIND = 'flash'\n`), 'Flash'],
    ['an attribute', model(`self.kind = kind; self.attn = TABLE[self.kind]()`, `Block('flash')`, table, `, kind`), 'Flash'],
    ['the configuration, which nobody knows', model(`self.attn = TABLE[config.kind]()`, 'Block(config)', table, `, config`), 'Several classes fit the module path `…`:'],
    ['a default of the model itself, which the exporter may have overridden', model(`self.attn = TABLE[kind]()`, 'Block(kind)', table, `, kind`), 'Several classes fit the module path `…`:'],
  ])('%s', async (_, text, cls) => expect(found(at, await document(text, '/p/a.py'))).toBe(cls));
});

describe('registries', () => {
  const registry = "ATTENTIONS = Registry('attention')\n";
  const use = `from .registry import ATTENTIONS\n${model(`self.attn = ATTENTIONS.get('flash')()`)}`;
  it.each([
    ['decorators with a key', `${attention('Eager', "@ATTENTIONS.register('eager')")}${attention('Flash', "@ATTENTIONS.register('flash')")}`],
    ['decorators with the key as name', `${attention('Eager', "@ATTENTIONS.register_module(name='eager')")}${attention('Flash', "@ATTENTIONS.register_module(name='flash')")}`],
    ['assignments', `${two}ATTENTIONS['eager'] = Eager\nATTENTIONS['flash'] = Flash\n`],
    ['calls', `${two}ATTENTIONS.register('eager', Eager)\nATTENTIONS.register('flash', Flash)\n`],
  ])('filled by %s in another file', async (_, text) => {
    expect(found(at, await document(registry, '/p/registry.py'), await document(`from .registry import ATTENTIONS\n${text}`, '/p/kinds.py'), await document(use, '/p/model.py'))).toBe('Flash');
  });
  it('by the name of the class where no key is given; another registry of that name is another', async () => {
    const documents = [await document(registry, '/p/registry.py'), await document(registry, '/q/registry.py'), await document(`from .registry import ATTENTIONS\n${attention('flash', '@ATTENTIONS.register')}`, '/p/kinds.py'), await document(`from .registry import ATTENTIONS as A\n${attention('Other', "@A.register('flash')")}`, '/q/kinds.py'), await document(use, '/p/model.py')];
    expect(found(at, ...documents)).toBe('flash');
  });
});

describe('names made at run time', () => {
  it('getattr of a module and of self, globals', async () => {
    expect(found(at, await document(`import kinds\n${model(`self.attn = getattr(kinds, 'Flash')()`)}`, '/p/a.py'), await document(two, '/p/kinds.py'))).toBe('Flash');
    expect(found(at, await document(model(`self.attn = globals()['Eager']()`, 'Block()', two), '/p/a.py'))).toBe('Eager');
    expect(found(at, await document(model(`self.kind = Flash; self.attn = getattr(self, 'kind')()`, 'Block()', two), '/p/a.py'))).toBe('Flash');
  });
  it('attributes with a number in their name: assigned, called, walked', async () => {
    const text = `${attention('Flash')}class Model(nn.Module):\n    def __init__(self, n):\n        for i in range(n):\n            setattr(self, f'attn_{i}', Flash())\n            self.add_module(f"more{i}", Flash())\n    def forward(self, x):\n        for i in range(3):\n            x = getattr(self, f'attn_{i}')(x)\n        return x\n`;
    const doc = await document(text, '/p/a.py'), [l, more, none] = linkSites({ sites: ['/attn_2/Softmax', '/more0/Softmax', '/less0/Softmax'].map((node, i) => nodeSite(i, node)), modelFile: 'm.onnx' }, [doc]);
    expect([l, more, none].map(link => link.className)).toEqual(['Flash', 'Flash', undefined]);
    expect([l.steps[0].assigns.length, l.steps[0].calls.length]).toEqual([1, 1]);
  });
});
