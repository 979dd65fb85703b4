/** Cells of a notebook are one module: classes of one cell are known in the next, magics are no Python, and an exporter's cell is found by its text. */
import { describe, expect, it } from 'vitest';
import type { Site } from '../../../extension/contract/site.ts';
import { hoverAt } from '../../../extension/source/hovers.ts';
import { lensesFor } from '../../../extension/source/lenses.ts';
import { linkSites } from '../../../extension/source/link.ts';
import { joinCells } from '../../../extension/source/notebook.ts';
import type { SourceDocument } from '../../../extension/source/python-module.ts';
import { document, fixtureText, nodeSite, site, parsePython } from './support.ts';

const cells = [
  '%pip install torch\n!nvidia-smi\nimport torch\nfrom torch import nn',
  'class Attention(nn.Module):\n    def __init__(self, width):\n        super().__init__()\n        self.qkv = nn.Linear(width, 3 * width)\n\n    def forward(self, x):\n        q, k, v = self.qkv(x).chunk(3, -1)\n        return nn.functional.scaled_dot_product_attention(q, k, v)',
  '%%bash\nclass Fake(nn.Module): pass\necho "("',
  '%%time\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.layers = nn.ModuleList([Attention(64) for _ in range(2)])\n\n    def forward(self, x):\n        for attn in self.layers:\n            x = attn(x)\n        return x',
];
const notebook = (of: readonly string[] = cells, path = '/home/me/project/train.ipynb'): SourceDocument => { const { text, starts } = joinCells(of); return { path, text, cells: starts, module: parsePython(text) }; };
const inCell = (line: number, text: string, more: Partial<Site['source']> = {}): Site => site(0, { module: 'layers.0', class: 'Attention', classModule: '__main__', file: '/tmp/ipykernel_4711/3520.py', line, text, level: 'stack-trace', ...more });
const ran = 'return nn.functional.scaled_dot_product_attention(q, k, v)';

describe('cells', () => {
  it('keep their lines and columns', () => {
    const { text, starts } = joinCells(cells);
    expect(starts).toEqual([0, 4, 12, 15]);
    expect(text.split('\n').slice(0, 4)).toEqual(['#pip install torch', '#nvidia-smi', 'import torch', 'from torch import nn']);
    expect(text.split('\n').length).toBe(cells.join('\n').split('\n').length);
    expect(parsePython(text).classes.map(c => c.name)).toEqual(['Attention', 'Net']);
  });
  it('read CRLF, and a single cell', () => expect(joinCells(['a = 1\r\n  %time b'])).toEqual({ text: 'a = 1\n  #time b', starts: [0] }));
});

describe('links', () => {
  it('by node path, from a class of one cell to that of another; lens and hover stand in their cells', () => {
    const doc = notebook(), sites = [0, 1].map(i => nodeSite(i, `/layers.${i}/Softmax`)), links = linkSites({ sites, modelFile: 'm.onnx' }, [doc]);
    expect(links.map(l => `${l.level} ${l.className}`)).toEqual(['node-path Attention', 'node-path Attention']);
    expect(lensesFor(doc, links).map(l => [l.className, l.range.start.line])).toEqual([['Attention', 4]]);
    expect(hoverAt(doc, links, { line: 15 + 4, column: 10 })?.what).toBe('assign');
    expect(hoverAt(doc, links, { line: 15 + 8, column: 17 })?.what).toBe('call');
  });
  it('by the exporter\'s stack trace, whose file names no notebook: by its text', () => {
    const doc = notebook(), [link] = linkSites({ sites: [inCell(8, ran)], modelFile: 'm.onnx' }, [doc]);
    expect([link.level, link.className, link.line]).toEqual(['stack-trace', 'Attention', 11]);
    expect(link.how).toBe('The exporter wrote that it ran in a notebook cell, line 8; the same text stands in `train.ipynb`.');
    const moved = notebook(['x = 1', ...cells.map(cell => `# new\n${cell}`)]), [again] = linkSites({ sites: [inCell(8, ran)], modelFile: 'm.onnx' }, [moved]);
    expect([again.level, again.line]).toEqual(['stack-trace', 14]);
    const [older] = linkSites({ sites: [inCell(8, ran, { file: '<ipython-input-3-0a1b2c>' })], modelFile: 'm.onnx' }, [doc]);
    expect(older.level).toBe('stack-trace');
  });
  it('by class where the text is gone, and to nothing where it stands in two notebooks', () => {
    const [changed] = linkSites({ sites: [inCell(8, 'return something_else(q, k, v)')], modelFile: 'm.onnx' }, [notebook()]);
    expect(`${changed.level} ${changed.className}`).toBe('class-hierarchy Attention');
    const two = [notebook(), notebook(cells, '/home/me/project/copy.ipynb')];
    expect(linkSites({ sites: [inCell(8, ran)], modelFile: 'm.onnx' }, two)[0].level).toBe('none');
  });
  it('never to a file of the same class when a cell ran', async () => {
    const [link] = linkSites({ sites: [inCell(8, ran)], modelFile: 'm.onnx' }, [await document(fixtureText('decoy.py'), '/home/me/project/decoy.py')]);
    expect(link.level).toBe('none');
  });
});
