/** Names of sites and where their source is: from exporter metadata, node paths, initializers, or nothing. */
import { describe, expect, it } from 'vitest';
import type { Node } from '../../../extension/engine/onnx/model.ts';
import { nameSites, sourceOf } from '../../../extension/engine/sites/names.ts';

const self = (module: string): { module: string; kind: 'self' } => ({ module, kind: 'self' });
const names = (modules: readonly { module: string | null; kind: 'self' | 'cross' }[]): string[] => nameSites(modules).map(site => site.name);

describe('names', () => {
  it('takes the layer from the module path, wherever it stands', () => {
    expect(names(['model.layers.9.self_attn', 'model.layers.10.self_attn', 'transformer.h.11.attn', 'gpt_neox.layers.12.attention'].map(self))).toEqual(['blocks.9.attn', 'blocks.10.attn', 'blocks.11.attn', 'blocks.12.attn']);
  });
  it('falls back to graph order', () => expect(names([{ module: null, kind: 'self' }, { module: null, kind: 'self' }])).toEqual(['blocks.0.attn', 'blocks.1.attn']));
  it('counts kinds apart where there are no paths', () => expect(names([{ module: null, kind: 'self' }, { module: null, kind: 'cross' }, { module: null, kind: 'self' }, { module: null, kind: 'cross' }])).toEqual(['decoder.blocks.0.attn', 'decoder.blocks.0.cross_attn', 'decoder.blocks.1.attn', 'decoder.blocks.1.cross_attn']));
  it('numbers a second attention of a block', () => expect(names([self('blocks.0.attn1'), self('blocks.0.attn2'), self('blocks.1.attn1')])).toEqual(['blocks.0.attn', 'blocks.0.attn.2', 'blocks.1.attn']));
  it('counts the uses of one set of weights, whatever its module is called', () => {
    const use = (module: string, again: boolean): { module: string; kind: 'self'; again: boolean } => ({ module, kind: 'self', again });
    expect(names([use('encoder.groups.0.layers.0.attention', false), use('encoder.groups.0.layers.0.attention_1', true), use('encoder.groups.0.layers.0.attention_2', true)])).toEqual(['blocks.0.attn', 'blocks.1.attn', 'blocks.2.attn']);
  });
  it('has two halves without anything that crosses over as one stack', () => {
    expect(names(['m.encoder.blocks.0.0.attention', 'm.encoder.blocks.1.0.attention', 'm.decoder.layers.0.attention'].map(self))).toEqual(['blocks.0.attn', 'blocks.1.attn', 'blocks.2.attn']);
  });
  it('counts blocks through the stages of a hierarchical model', () => {
    expect(names(['layers.0.blocks.0', 'layers.0.blocks.1', 'layers.1.blocks.0', 'layers.2.blocks.0'].map(name => self(`encoder.${name}.attention.self`)))).toEqual(['blocks.0.attn', 'blocks.1.attn', 'blocks.2.attn', 'blocks.3.attn']);
  });
  it('names both stacks of a sequence-to-sequence model', () => {
    expect(names([self('m.encoder.block.0.layer.0.SelfAttention'), self('m.decoder.block.0.layer.0.SelfAttention'), { module: 'm.decoder.block.0.layer.1.EncDecAttention', kind: 'cross' }, self('m.decoder.block.1.layer.0.SelfAttention'), { module: 'm.decoder.block.1.layer.1.EncDecAttention', kind: 'cross' }]))
      .toEqual(['encoder.blocks.0.attn', 'decoder.blocks.0.attn', 'decoder.blocks.0.cross_attn', 'decoder.blocks.1.attn', 'decoder.blocks.1.cross_attn']);
  });
  it('names both towers of a contrastive model, and the vision tower beside a language model', () => {
    expect(names([self('text_model.encoder.layers.0.self_attn'), self('vision_model.encoder.layers.0.self_attn')])).toEqual(['text.blocks.0.attn', 'vision.blocks.0.attn']);
    expect(names([self('model.vision_tower.layers.0.attn'), self('model.language_model.layers.0.self_attn')])).toEqual(['vision.blocks.0.attn', 'blocks.0.attn']);
  });
  it('has one tower of any kind as the main stack', () => {
    for (const module of ['vision_model.encoder.layers.0.self_attn', 'bert.encoder.layer.0.attention.self', 'model.decoder.layers.0.self_attn']) expect(names([self(module)])).toEqual(['blocks.0.attn']);
  });
});

describe('sources', () => {
  const node = (more: Partial<Node>): Node => ({ name: 'node', op: 'Softmax', domain: '', inputs: [], outputs: [], attributes: new Map(), metadata: new Map(), ...more });
  const metadata = (more: Record<string, string>): Map<string, string> => new Map(Object.entries({
    'pkg.torch.onnx.name_scopes': "['', 'model', 'model.layers.0.attn', 'softmax']", 'pkg.torch.onnx.class_hierarchy': "['my.Model', 'my.Inner', 'my.nets.Attention', 'aten.softmax.int']", ...more,
  }));
  it('reads the innermost forward of a stack trace', () => {
    const trace = 'File "/home/me/train.py", line 9, in forward\n    y = self.layer(x)\nFile "C:\\code\\model.py", line 41, in forward\n    p = helper(q, k)\nFile "C:\\code\\model.py", line 7, in helper\n    return softmax(q @ k)';
    expect(sourceOf(node({ metadata: metadata({ 'pkg.torch.onnx.stack_trace': trace }) }), [], [])).toEqual({ module: 'model.layers.0.attn', class: 'Attention', file: 'C:\\code\\model.py', line: 41, text: 'p = helper(q, k)', classModule: 'my.nets', level: 'stack-trace' });
  });
  it('is content with classes, then with paths, then with weights, and says so', () => {
    expect(sourceOf(node({ metadata: metadata({}) }), [], [])).toMatchObject({ module: 'model.layers.0.attn', class: 'Attention', level: 'class-hierarchy' });
    expect(sourceOf(node({ name: '/model/layers.3/attn/Softmax_1' }), [], [])).toMatchObject({ module: 'model.layers.3.attn', class: null, level: 'node-path' });
    expect(sourceOf(node({}), [], ['onnx::MatMul_12', 'embed.weight', 'model.layers.3.attn.q_proj.weight'])).toMatchObject({ module: 'model.layers.3.attn', level: 'initializer' });
    expect(sourceOf(node({}), [], [])).toEqual({ module: null, class: null, file: null, line: null, level: 'none' });
  });
});
