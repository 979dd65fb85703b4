/** Makes of the zoo's cached decoder what people meet: its two branches in one file, and a vision-language model whose decoder reads embeddings. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pieces, encodeNode, encodeValueInfo } from '../../extension/engine/onnx/encode.ts';
import { dataType, type NewNode } from '../../extension/engine/onnx/model.ts';
import { graphAttribute, modelOf, partsOf, type Parts } from './wrapped.ts';

const here = join(import.meta.dirname, 'folders'), cached = join(here, 'llama_cache/onnx/model.onnx');
const embedding = '/m/model/embed_tokens/Gather', table = 'm.model.embed_tokens.weight', width = 32;

/** The nodes that read the past, as they are where there is none: keys and values are the prompt's own, and no position lies before them. */
const forgetful: readonly NewNode[] = [
  { op: 'Constant', name: '/m/model/Shape_1', inputs: [], outputs: ['/m/model/Shape_1_output_0'], attributes: { value_ints: [1, 2, 0, 8] } },
  ...[0, 1].flatMap((l): NewNode[] => [['Add_1', 'key', 5], ['Transpose_2', 'value', 6]].map(([from, part, n]) => ({ op: 'Identity', name: `/m/model/layers.${l}/self_attn/Concat_${n}`, inputs: [`/m/model/layers.${l}/self_attn/${from}_output_0`], outputs: [`present.${l}.${part}`] }))),
];

/** `parts` with some nodes replaced by others of the same name, and some left out. */
function edited(parts: Parts, others: readonly NewNode[], without: readonly string[]): Pieces[] {
  const changed = new Map(others.map(node => [node.name, node]));
  return parts.nodes.flatMap((node, i) => { const name = parts.names.nodes[i], other = changed.get(name); return without.includes(name) ? [] : [other ? encodeNode(other) : node]; });
}

/** As optimum merges decoders: `If(use_cache_branch)`, the weights of both branches beside it; the branch without a cache reads none. */
export function mergedDecoder(parts = partsOf(cached)): Uint8Array { return merged(parts, parts.nodes, edited(parts, forgetful, ['/Concat'])); }

/** decoder_model.onnx and decoder_with_past_model.onnx of an encoder-decoder `folder` in one file; the branch with a cache hands on nothing of the encoder, as optimum leaves it. `negated`: its logits have the other sign. */
export function mergedPair(folder: string, negated = false): Uint8Array {
  const first = partsOf(join(folder, 'decoder_model.onnx')), later = partsOf(join(folder, 'decoder_with_past_model.onnx')), initializers = new Map([first, later].flatMap(({ initializers: tensors, names }) => tensors.map((tensor, i) => [names.initializers[i], tensor] as const)));
  const nothing = first.names.outputs.filter(name => !later.names.outputs.includes(name)).map(name => encodeNode({ op: 'Constant', name: `no ${name}`, inputs: [], outputs: [name], attributes: { value_floats: { floats: [] } } }));
  return merged({ ...first, initializers: [...initializers.values()], inputs: [...first.inputs, ...later.inputs.filter((_, i) => !first.names.inputs.includes(later.names.inputs[i]))] }, [...later.nodes, ...nothing, ...(negated ? [encodeNode({ op: 'Neg', name: 'negated', inputs: ['logits'], outputs: ['negated'] })] : [])], first.nodes, first.outputs.map((output, i) => (negated && first.names.outputs[i] === 'logits' ? encodeValueInfo({ name: 'negated', type: dataType.float }) : output)));
}

/** Outputs of the branches are matched by their order. */
function merged(parts: Parts, behind: readonly Pieces[], before: readonly Pieces[], outputs: readonly Pieces[] = parts.outputs): Uint8Array {
  const branch = (nodes: readonly Pieces[], results: readonly Pieces[]): Pieces => { const graph = new Pieces(); for (const node of nodes) graph.message(1, node); graph.text(2, 'branch'); for (const output of results) graph.message(12, output); return graph; };
  const choose = encodeNode({ op: 'If', name: 'optimum::if', inputs: ['use_cache_branch'], outputs: parts.names.outputs }).message(5, graphAttribute('then_branch', branch(behind, outputs))).message(5, graphAttribute('else_branch', branch(before, parts.outputs)));
  return whole([choose], { ...parts, inputs: [...parts.inputs, encodeValueInfo({ name: 'use_cache_branch', type: dataType.bool, dims: [1] })] });
}

/** Names that nobody uses; a key's template begins as a value's does. */
const names = (name: string): string => name.replace(/^past_key_values\.(\d+)\.key$/, 'kept_$1').replace(/^past_key_values\.(\d+)\.value$/, 'kept_$1_v').replace(/^present\.(\d+)\.(.).*$/, 'out.$1$2').replace(/^input_ids$/, 'words').replace(/^attention_mask$/, 'who').replace(/^position_ids$/, 'where').replace(/^logits$/, 'said');
/** Tells of these names. */
export const genaiConfig = { model: { type: 'llama', decoder: {
  filename: 'lm.onnx', inputs: { input_ids: 'words', attention_mask: 'who', position_ids: 'where', past_key_names: 'kept_%d', past_value_names: 'kept_%d_v' }, outputs: { logits: 'said', present_key_names: 'out.%dk', present_value_names: 'out.%dv' },
} } };

/** The same decoder with names of inputs and outputs that nobody uses; `half`: its cache and its logits are float16, as in `_fp16` and `_q4f16` files. */
export function renamedDecoder(half = false, parts = partsOf(cached)): Uint8Array {
  const ids = (name: string): boolean => /^(input_ids|attention_mask|position_ids)$/.test(name), type = (name: string): number => (ids(name) ? dataType.int64 : half ? dataType.float16 : dataType.float);
  const dims = (name: string): (string | number)[] => (/^(past|present)/.test(name) ? ['batch', 2, /^past/.test(name) ? 'past' : 'total', 8] : name === 'logits' ? ['batch', 'sequence', 97] : ['batch', name === 'attention_mask' ? 'total' : 'sequence']);
  const cast = (from: string, to: string, as: number): Pieces => encodeNode({ op: 'Cast', name: `${from} to ${to}`, inputs: [from], outputs: [to], attributes: { to: as } }), info = (name: string): Pieces => encodeValueInfo({ name: names(name), type: type(name), dims: dims(name) });
  const { inputs, outputs } = parts.names;
  return whole([...inputs.map(name => cast(names(name), name, ids(name) ? dataType.int64 : dataType.float)), ...parts.nodes, ...outputs.map(name => cast(name, names(name), type(name)))], { ...parts, inputs: inputs.map(info), outputs: outputs.map(info) });
}

/** A folder with vision encoder, token embedding and a decoder that reads embeddings: merged, with a cache alone, or without one. */
export function visionLanguageFolder(folder: string, decoder: 'merged' | 'cached'): string {
  const parts = partsOf(cached), onnx = join(folder, 'onnx'), reading: Parts = {
    ...parts, nodes: edited(parts, [{ op: 'Identity', name: embedding, inputs: ['inputs_embeds'], outputs: [`${embedding}_output_0`] }], []),
    inputs: [encodeValueInfo({ name: 'inputs_embeds', type: dataType.float, dims: ['batch', 'sequence', width] }), ...parts.inputs.slice(1)], initializers: parts.initializers.filter((_, i) => parts.names.initializers[i] !== table),
  };
  mkdirSync(onnx, { recursive: true });
  copyFileSync(join(here, 'llava_multi/config.json'), join(folder, 'config.json'));
  copyFileSync(join(here, 'llava_multi/onnx/vision_encoder.onnx'), join(onnx, 'vision_encoder.onnx'));
  writeFileSync(join(onnx, 'embed_tokens.onnx'), whole([encodeNode({ op: 'Gather', name: embedding, inputs: [table, 'input_ids'], outputs: ['inputs_embeds'] })], {
    ...parts, inputs: [parts.inputs[0]], outputs: [encodeValueInfo({ name: 'inputs_embeds', type: dataType.float, dims: ['batch', 'sequence', width] })], initializers: parts.initializers.filter((_, i) => parts.names.initializers[i] === table),
  }));
  if (decoder === 'merged') writeFileSync(join(onnx, 'decoder_model_merged.onnx'), mergedDecoder(reading)); else writeFileSync(join(onnx, 'decoder_model.onnx'), whole(reading.nodes, reading));
  return folder;
}

function whole(nodes: readonly Pieces[], { inputs, outputs, initializers, opsets }: Parts): Uint8Array {
  const graph = new Pieces();
  for (const node of nodes) graph.message(1, node);
  for (const tensor of initializers) graph.message(5, tensor);
  for (const input of inputs) graph.message(11, input);
  for (const output of outputs) graph.message(12, output);
  return modelOf(graph, opsets);
}
