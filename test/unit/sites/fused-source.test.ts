/** Operators that an optimizer fused have lost the names of what they were: layer, module and class come from their surroundings; heads that were repeated before and other sequences are seen. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Site } from '../../../extension/contract/site.ts';
import { Pieces, encodeNode, encodeTensor, encodeValueInfo, tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewNode, type NewTensor, type ValueInfo } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { sitesReport } from '../../../extension/engine/sites/recognise.ts';

const folder = mkdtempSync(join(tmpdir(), 'fused-source-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Written = NewNode & { readonly metadata?: Readonly<Record<string, string>> };
async function sites(nodes: readonly Written[], inputs: readonly ValueInfo[], weights: readonly NewTensor[]): Promise<readonly Site[]> {
  const graph = new Pieces();
  for (const { metadata = {}, ...node } of nodes) {
    const written = encodeNode(node);
    for (const [key, value] of Object.entries(metadata)) written.message(9, new Pieces().text(1, key).text(2, value));
    graph.message(1, written);
  }
  graph.text(2, 'main');
  for (const weight of weights) graph.message(5, encodeTensor(weight));
  for (const input of inputs) graph.message(11, encodeValueInfo(input));
  graph.message(12, encodeValueInfo({ name: nodes[nodes.length - 1].outputs[0], type: dataType.float }));
  const path = join(folder, 'model.onnx');
  writeFileSync(path, new Pieces().varint(1, 8).message(7, graph).message(8, new Pieces().varint(2, 17)).message(8, new Pieces().text(1, 'com.microsoft').varint(2, 1)).join());
  return sitesReport(await openModel(path)).sites;
}
const zeros = (name: string, ...dims: number[]): NewTensor => tensorOf(name, dims, new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(0.1));
const x: ValueInfo = { name: 'x', type: dataType.float, dims: ['B', 'S', 8] }, y: ValueInfo = { name: 'y', type: dataType.float, dims: ['B', 'T', 8] };
const fused = (output: string, input = 'x', prefix = 'Attention_0'): NewNode => ({ op: 'Attention', domain: 'com.microsoft', name: prefix, inputs: [input, `${prefix}_qkv_weight`, `${prefix}_qkv_bias`], outputs: [output], attributes: { num_heads: 2 } });
const merged = (prefix = 'Attention_0'): NewTensor[] => [zeros(`${prefix}_qkv_weight`, 8, 24), zeros(`${prefix}_qkv_bias`, 24)];
const product = (name: string, from: string, weight: string, to: string): NewNode => ({ op: 'MatMul', name, inputs: [from, weight], outputs: [to] });
const key = (name: string): string => `pkg.torch.onnx.${name}`;

describe('where it was written', () => {
  it.each<[string, readonly Written[], readonly NewTensor[], object]>([
    ['the value that it makes', [fused('/bert/encoder/layer.3/attention/self/Reshape_3_output_0'), product('/bert/encoder/layer.3/attention/output/dense/MatMul', '/bert/encoder/layer.3/attention/self/Reshape_3_output_0', 'w', 'o')], [zeros('w', 8, 8)], { module: 'bert.encoder.layer.3.attention.self', level: 'node-path' }],
    ['the projection behind it', [fused('a'), { op: 'Reshape', name: 'r', inputs: ['a', 'flat'], outputs: ['b'] }, { op: 'Gemm', name: '/h.3/attn/c_proj/Gemm', inputs: ['b', 'w'], outputs: ['o'] }], [zeros('w', 8, 8), tensorOf('flat', [2], [-1, 8], dataType.int64)], { module: 'h.3.attn', level: 'node-path' }],
    ['what the exporter wrote on that', [fused('a'), { ...product('node_MatMul_9', 'a', 'w', 'o'), metadata: {
      [key('name_scopes')]: "['', 'm', 'm.encoder.layer.3', 'm.encoder.layer.3.attention', 'm.encoder.layer.3.attention.output', 'm.encoder.layer.3.attention.output.dense', 'linear']",
      [key('class_hierarchy')]: "['app.Wrap', 'app.Bert', 'app.BertLayer', 'app.parts.BertAttention', 'app.BertSelfOutput', 'torch.nn.modules.linear.Linear', 'aten.linear.default']",
    } }], [zeros('w', 8, 8)], { module: 'm.encoder.layer.3.attention', class: 'BertAttention', classModule: 'app.parts', level: 'class-hierarchy' }],
    ['the name of its weight', [fused('a'), product('MatMul_12', 'a', 'model.layers.3.self_attn.o_proj.weight', 'o')], [zeros('model.layers.3.self_attn.o_proj.weight', 8, 8)], { module: 'model.layers.3.self_attn', level: 'initializer' }],
    ['the name of its bias', [fused('a'), product('MatMul_12', 'a', 'onnx::MatMul_77', 'b'), { op: 'Add', name: 'Add_3', inputs: ['encoder.layers.3.attn.out.bias', 'b'], outputs: ['o'] }], [zeros('onnx::MatMul_77', 8, 8), zeros('encoder.layers.3.attn.out.bias', 8)], { module: 'encoder.layers.3.attn', level: 'initializer' }],
  ])('%s', async (_, nodes, weights, source) => {
    const [site] = await sites(nodes, [x], [...merged(), ...weights]);
    expect(site.source).toMatchObject(source);
    expect(site).toMatchObject({ name: 'blocks.3.attn', layer: 3, kind: 'self', form: 'dense', operator: 'com.microsoft.Attention' });
  });
  it('a bias that stands for several equal ones names none of them, and layers are counted', async () => {
    const block = (n: number, from: string): NewNode[] => [fused(`a${n}`, from, `Attention_${n}`), product(`MatMul_${n}`, `a${n}`, `onnx::MatMul_${n}`, `b${n}`), { op: 'Add', name: `Add_${n}`, inputs: [`b${n}`, 'encoder.layers.7.attn.out.bias'], outputs: [`c${n}`] }];
    const found = await sites([...block(0, 'x'), ...block(1, 'c0')], [x], [...merged('Attention_0'), ...merged('Attention_1'), zeros('onnx::MatMul_0', 8, 8), zeros('onnx::MatMul_1', 8, 8), zeros('encoder.layers.7.attn.out.bias', 8)]);
    expect(found.map(site => [site.name, site.source.level])).toEqual([['blocks.0.attn', 'none'], ['blocks.1.attn', 'none']]);
  });
});

describe('MultiHeadAttention', () => {
  const projections = (ofKeys: string, path: string): NewNode[] => [product(`${path}/q_proj/MatMul`, 'x', 'wq', 'q'), product(`${path}/k_proj/MatMul`, ofKeys, 'wk', 'k'), product(`${path}/v_proj/MatMul`, ofKeys, 'wv', 'v')];
  const attend = (inputs: string, output = 'o'): NewNode => ({ op: 'MultiHeadAttention', domain: 'com.microsoft', name: 'MultiHeadAttention_0', inputs: inputs.split(' ').map(name => (name === '_' ? '' : name)), outputs: [output], attributes: { num_heads: 4 } });
  const square = ['wq', 'wk', 'wv'].map(name => zeros(name, 8, 8));
  it('takes its module from its projections', async () => {
    expect((await sites([...projections('x', '/model/layers.2/self_attn'), attend('q k v')], [x], square)).map(site => [site.name, site.kind, site.heads, site.kvHeads, site.headDim, site.source.module])).toEqual([['blocks.2.attn', 'self', 4, 4, 2, 'model.layers.2.self_attn']]);
  });
  it('is cross attention where its keys are of another sequence, with biases inside as well', async () => {
    for (const inputs of ['q k v', 'q k v b']) {
      expect((await sites([...projections('y', '/decoder/layers.2/encoder_attn'), attend(inputs)], [x, y], [...square, zeros('b', 24)])).map(site => [site.name, site.kind, site.taps])).toEqual([['decoder.blocks.2.cross_attn', 'cross', { q: 'q', k: 'k', v: 'v', probs: null, out: 'o' }]]);
    }
  });
  it('sees heads that were repeated for it', async () => {
    const repeat = (from: string): NewNode[] => [
      { op: 'Reshape', name: `${from}1`, inputs: [from, 'apart'], outputs: [`${from}1`] }, { op: 'Transpose', name: `${from}2`, inputs: [`${from}1`], outputs: [`${from}2`], attributes: { perm: [0, 2, 1, 3] } },
      { op: 'Unsqueeze', name: `${from}3`, inputs: [`${from}2`, 'two'], outputs: [`${from}3`] }, { op: 'Tile', name: `${from}4`, inputs: [`${from}3`, 'times'], outputs: [`${from}4`] },
      { op: 'Reshape', name: `${from}5`, inputs: [`${from}4`, 'joined'], outputs: [`${from}R`] },
    ];
    const shapes = [tensorOf('apart', [4], [0, 0, 2, 2], dataType.int64), tensorOf('two', [1], [2], dataType.int64), tensorOf('times', [5], [1, 1, 2, 1, 1], dataType.int64), tensorOf('joined', [4], [0, 4, -1, 2], dataType.int64)];
    const [site] = await sites([...projections('x', '/model/layers.0/self_attn'), ...repeat('k'), ...repeat('v'), attend('q kR vR')], [x], [zeros('wq', 8, 8), zeros('wk', 8, 4), zeros('wv', 8, 4), ...shapes]);
    expect([site.kind, site.heads, site.kvHeads, site.taps.k]).toEqual(['self', 4, 2, 'k2']);
  });
});
