/** Writes the long decoder as exporters write one with a cache: RMS norm, RoPE, grouped heads, a folder with config.json and tokenizer.json. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../extension/engine/onnx/encode.ts';
import { dataType, type NewNode, type NewTensor, type ValueInfo } from '../../extension/engine/onnx/model.ts';
import { tokenizerJson, vocabulary } from './text.ts';
import { embeddings, groups, inverseFrequencies, layerWeights, size } from './weights.ts';

/** Inputs `input_ids`, `attention_mask`, `position_ids`, `past_key_values.L.key|value`; outputs `logits`, `present.L.key|value`. Returns the folder. */
export function writeLongDecoder(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const { layers, heads, kvHeads, dim, width, hidden } = size, words = vocabulary(), nodes: NewNode[] = [], initializers: NewTensor[] = [], inputs: ValueInfo[] = [], outputs: ValueInfo[] = [];
  const floats = (name: string, dims: readonly number[], values: ArrayLike<number>): string => { const data = Float32Array.from(values); initializers.push({ name, type: dataType.float, dims, data: new Uint8Array(data.buffer) }); return name; };
  const ints = (name: string, values: readonly number[], scalar = false): string => { initializers.push(tensorOf(name, scalar ? [] : [values.length], values, dataType.int64)); return name; };
  const node = (op: string, name: string, from: readonly string[], attributes?: NewNode['attributes'], to: readonly string[] = [`${name}_output_0`]): string => { nodes.push({ op, name, inputs: from, outputs: to, attributes }); return to[0]; };
  const zero = floats('zero', [], [0]), lowest = floats('lowest', [], [-3.4028234663852886e38]), scale = floats('scale', [], [1 / Math.sqrt(dim)]), epsilon = floats('epsilon', [], [1e-6]), two = floats('two', [], [2]);
  const i0 = ints('i0', [0], true), i1 = ints('i1', [1], true), i2 = ints('i2', [2], true), axis0 = ints('axis0', [0]), axis1 = ints('axis1', [1]), axis2 = ints('axis2', [2]), axes12 = ints('axes12', [1, 2]), axes01 = ints('axes01', [0, 1]), end = ints('end', [2 ** 31]), halfway = ints('halfway', [dim / 2]), axis3 = ints('axis3', [3]);
  const split = ints('split.heads', [0, 0, heads, dim]), splitKv = ints('split.kv', [0, 0, kvHeads, dim]), merged = ints('merged', [0, 0, heads * dim]), repeated = ints('repeated', [0, heads, -1, dim]), each = ints('each', [1, 1, groups, 1, 1]);
  const rotary = '/model/rotary_emb', angles = node('Mul', `${rotary}/Mul`, [node('Unsqueeze', `${rotary}/Unsqueeze`, [node('Cast', `${rotary}/Cast`, ['position_ids'], { to: dataType.float }), axis2]), floats('inv_freq', [1, 1, dim / 2], inverseFrequencies())]), both = node('Concat', `${rotary}/Concat`, [angles, angles], { axis: -1 });
  const cos = node('Unsqueeze', `${rotary}/cos`, [node('Cos', `${rotary}/Cos`, [both]), axis1]), sin = node('Unsqueeze', `${rotary}/sin`, [node('Sin', `${rotary}/Sin`, [both]), axis1]);
  // Position of the first query: as long as the past is. A key is seen when it does not lie ahead.
  const shapeOf = node('Shape', '/model/Shape', ['input_ids']), length = node('Gather', '/model/Gather', [shapeOf, i1], { axis: 0 }), past = node('Gather', '/model/Gather_past', [node('Shape', '/model/Shape_past', ['past_key_values.0.key']), i2], { axis: 0 }), total = node('Add', '/model/Add_total', [length, past]);
  const keys = node('Range', '/model/Range_keys', [i0, total, i1]), queries = node('Range', '/model/Range_queries', [past, total, i1]), causal = node('LessOrEqual', '/model/LessOrEqual', [node('Unsqueeze', '/model/Unsqueeze_keys', [keys, axis0]), node('Unsqueeze', '/model/Unsqueeze_queries', [queries, axis1])]);
  const seen = node('And', '/model/And', [node('Unsqueeze', '/model/Unsqueeze_causal', [causal, axes01]), node('Cast', '/model/Cast_mask', [node('Unsqueeze', '/model/Unsqueeze_mask', ['attention_mask', axes12])], { to: dataType.bool })]), mask = node('Where', '/model/Where', [seen, zero, lowest]);
  const norm = (name: string, x: string): string => { const mean = node('ReduceMean', `${name}/ReduceMean`, [node('Pow', `${name}/Pow`, [x, two])], { axes: [-1], keepdims: 1 }); return node('Mul', `${name}/Mul_1`, [floats(`${name.slice(1).replaceAll('/', '.')}.weight`, [width], new Float32Array(width).fill(1)), node('Div', `${name}/Div`, [x, node('Sqrt', `${name}/Sqrt`, [node('Add', `${name}/Add`, [mean, epsilon])])])]); };
  const embedded = floats('model.embed_tokens.weight', [words.tokens.length, width], embeddings(words));
  let x = node('Gather', '/model/embed_tokens/Gather', [embedded, 'input_ids']);
  for (let l = 0; l < layers; l++) {
    const p = `/model/layers.${l}`, a = `${p}/self_attn`, own = `model.layers.${l}`, weights = layerWeights(l), normed = norm(`${p}/input_layernorm`, x);
    const project = (part: 'q' | 'k' | 'v', count: number, by: string): string => node('Transpose', `${a}/Transpose_${part}`, [node('Reshape', `${a}/Reshape_${part}`, [node('MatMul', `${a}/${part}_proj/MatMul`, [normed, floats(`${own}.self_attn.${part}_proj.weight`, [width, count * dim], weights[part])]), by])], { perm: [0, 2, 1, 3] });
    const rotate = (part: string, of: string): string => {
      const first = node('Slice', `${a}/Slice_${part}`, [of, axis0, halfway, axis3]), second = node('Slice', `${a}/Slice_1_${part}`, [of, halfway, end, axis3]), turned = node('Concat', `${a}/Concat_${part}`, [node('Neg', `${a}/Neg_${part}`, [second]), first], { axis: -1 });
      return node('Add', `${a}/Add_${part}`, [node('Mul', `${a}/Mul_${part}`, [of, cos]), node('Mul', `${a}/Mul_1_${part}`, [turned, sin])]);
    };
    const cached = (part: 'key' | 'value', of: string): string => {
      inputs.push({ name: `past_key_values.${l}.${part}`, type: dataType.float, dims: ['batch', kvHeads, 'past', dim] });
      outputs.push({ name: `present.${l}.${part}`, type: dataType.float, dims: ['batch', kvHeads, 'total', dim] });
      return node('Concat', `${a}/Concat_${part}`, [`past_key_values.${l}.${part}`, of], { axis: 2 }, [`present.${l}.${part}`]);
    };
    const repeat = (part: string, of: string): string => {
      const spread = node('Unsqueeze', `${a}/Unsqueeze_${part}`, [of, axis2]), wide = node('Expand', `${a}/Expand_${part}`, [spread, each]);
      return node('Reshape', `${a}/Reshape_1_${part}`, [wide, repeated]);
    };
    const query = rotate('q', project('q', heads, split)), key = repeat('key', cached('key', rotate('k', project('k', kvHeads, splitKv)))), value = repeat('value', cached('value', project('v', kvHeads, splitKv)));
    const scores = node('Mul', `${a}/Mul`, [node('MatMul', `${a}/MatMul`, [query, node('Transpose', `${a}/Transpose_3`, [key], { perm: [0, 1, 3, 2] })]), scale]), probs = node('Softmax', `${a}/Softmax`, [node('Add', `${a}/Add`, [scores, mask])], { axis: -1 });
    const out = node('MatMul', `${a}/o_proj/MatMul`, [node('Reshape', `${a}/Reshape`, [node('Transpose', `${a}/Transpose_4`, [node('MatMul', `${a}/MatMul_1`, [probs, value])], { perm: [0, 2, 1, 3] }), merged]), floats(`${own}.self_attn.o_proj.weight`, [heads * dim, width], weights.o)]);
    x = node('Add', `${p}/Add`, [x, out]);
    const up = node('MatMul', `${p}/mlp/up_proj/MatMul`, [norm(`${p}/post_attention_layernorm`, x), floats(`${own}.mlp.up_proj.weight`, [width, hidden], weights.up)]), gated = node('Mul', `${p}/mlp/act_fn/Mul`, [up, node('Sigmoid', `${p}/mlp/act_fn/Sigmoid`, [up])]);
    x = node('Add', `${p}/Add_1`, [x, node('MatMul', `${p}/mlp/down_proj/MatMul`, [gated, floats(`${own}.mlp.down_proj.weight`, [hidden, width], weights.down)])]);
  }
  node('MatMul', '/lm_head/MatMul', [norm('/model/norm', x), node('Transpose', '/lm_head/Transpose', [embedded], { perm: [1, 0] })], undefined, ['logits']);
  const tokens = { type: dataType.int64, dims: ['batch', 'sequence'] };
  writeFileSync(join(folder, 'model.onnx'), buildModel({
    nodes, initializers, inputs: [{ name: 'input_ids', ...tokens }, { name: 'attention_mask', type: dataType.int64, dims: ['batch', 'total'] }, { name: 'position_ids', ...tokens }, ...inputs],
    outputs: [{ name: 'logits', type: dataType.float, dims: ['batch', 'sequence', words.tokens.length] }, ...outputs],
  }));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_size: width, num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim, max_position_embeddings: size.positions, rope_theta: size.base, vocab_size: words.tokens.length, bos_token_id: 0 }));
  writeFileSync(join(folder, 'tokenizer.json'), tokenizerJson(words));
  return folder;
}
