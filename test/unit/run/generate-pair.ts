/** Writes random encoder-decoder folders as optimum lays them out, a few kilobytes each: text or speech encoder, decoder with and without a cache. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel, type NewModel } from '../../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewNode, type NewTensor, type ValueInfo } from '../../../extension/engine/onnx/model.ts';

export interface PairSize { readonly speech?: boolean; readonly layers?: number; readonly vocabulary?: number; readonly mels?: number; readonly frames?: number; /** Probabilities are outputs too, `NAME.probs`. */ readonly shown?: boolean; /** What the encoder gives is float16. */ readonly half?: boolean }
const heads = 2, dim = 8, width = heads * dim;
const { float, float16, int64 } = dataType;

/** `encoder_model.onnx`, `decoder_model.onnx` and `decoder_with_past_model.onnx` in `folder`. */
export function generatePair(folder: string, size: PairSize = {}): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, model] of [['encoder_model', encoder(size)], ['decoder_model', decoder(size, false)], ['decoder_with_past_model', decoder(size, true)]] as const) writeFileSync(join(folder, `${name}.onnx`), buildModel(model));
  return folder;
}

/** A speech folder with everything that stands beside Whisper's graphs: features, languages, tasks, alignment heads. */
export function generateSpeech(folder: string): string {
  const json = (name: string, value: unknown): void => writeFileSync(join(folder, name), JSON.stringify(value));
  generatePair(folder, { speech: true });
  json('config.json', { decoder_start_token_id: 3, eos_token_id: 39, vocab_size: 40 });
  json('preprocessor_config.json', { feature_size: 16, chunk_length: 1, sampling_rate: 16_000, hop_length: 160, n_fft: 400 });
  json('generation_config.json', { decoder_start_token_id: 3, is_multilingual: true, lang_to_id: { '<|en|>': 5, '<|de|>': 6, '<|fr|>': 8 }, task_to_id: { transcribe: 9, translate: 10 }, no_timestamps_token_id: 12, alignment_heads: [[1, 1], [0, 0], [1, 0], [9, 9]], begin_suppress_tokens: [0] });
  return folder;
}

/** A rising tone of 0.75 s, 16 bits at 16 kHz. */
export function generateSound(file: string): string {
  const samples = 12_000, wav = Buffer.alloc(44 + 2 * samples);
  wav.write('RIFF', 0); wav.write('WAVEfmt ', 8); wav.writeUInt32LE(16, 16); wav.writeUInt16LE(1, 20); wav.writeUInt16LE(1, 22); wav.writeUInt32LE(16_000, 24); wav.writeUInt32LE(32_000, 28); wav.writeUInt16LE(2, 32); wav.writeUInt16LE(16, 34); wav.write('data', 36); wav.writeUInt32LE(2 * samples, 40);
  for (let i = 0; i < samples; i++) wav.writeInt16LE(Math.round(9_000 * Math.sin(i * (0.05 + i * 1e-5))), 44 + 2 * i);
  writeFileSync(file, wav);
  return file;
}

/** Both in one graph, as an exporter writes the whole model: `input_ids`, `attention_mask`, `decoder_input_ids` → `logits`. */
export function generateInOne(file: string, size: PairSize = {}): string {
  const first = encoder(size), second = decoder(size, false), same = (from: string, to: string): NewNode => ({ op: 'Identity', name: `/${to}`, inputs: [from], outputs: [to] });
  const said = second.nodes.map(node => ({ ...node, inputs: node.inputs.map(input => (input === 'input_ids' ? 'decoder_input_ids' : input)) })), tensors = new Map([...first.initializers ?? [], ...second.initializers ?? []].map(tensor => [tensor.name, tensor]));
  writeFileSync(file, buildModel({
    nodes: [...first.nodes, same('last_hidden_state', 'encoder_hidden_states'), same('attention_mask', 'encoder_attention_mask'), ...said], initializers: [...tensors.values()],
    inputs: [...first.inputs, { name: 'decoder_input_ids', type: int64, dims: ['batch', 'target'] }], outputs: second.outputs.filter(output => output.name === 'logits'),
  }));
  return file;
}

class Graph {
  readonly nodes: NewNode[] = [];
  readonly tensors = new Map<string, NewTensor>();
  readonly outputs: ValueInfo[] = [];
  node(op: string, name: string, inputs: readonly string[], attributes?: NewNode['attributes']): string {
    this.nodes.push({ op, name, inputs, outputs: [`${name}_output_0`], ...(attributes ? { attributes } : {}) });
    return `${name}_output_0`;
  }
  /** The same numbers for the same name, in every graph. */
  weight(name: string, dims: readonly number[], spread: number): string {
    let seed = [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) >>> 0, 7);
    const next = (): number => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32 - 0.5; };
    return this.put(tensorOf(name, dims, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * spread * (next() + next() + next()))));
  }
  ints(values: readonly number[] | number): string { const list = typeof values === 'number' ? [values] : values; return this.put(tensorOf(`int.${typeof values === 'number' ? 's' : 'v'}${list.join('_')}`, typeof values === 'number' ? [] : [list.length], list, int64)); }
  put(tensor: NewTensor): string { this.tensors.set(tensor.name, tensor); return tensor.name; }
  model(inputs: readonly ValueInfo[]): NewModel { return { nodes: this.nodes, initializers: [...this.tensors.values()], inputs, outputs: this.outputs }; }
}

/** [batch, position, width] → [batch, head, position, dim] */
function split(graph: Graph, at: string, x: string, part: string): string {
  return graph.node('Transpose', `${at}/${part}/Transpose`, [graph.node('Reshape', `${at}/${part}/Reshape`, [graph.node('MatMul', `${at}/${part}/MatMul`, [x, graph.weight(`${at.slice(1).replaceAll('/', '.')}.${part}.weight`, [width, width], 0.25)]), graph.ints([0, 0, heads, dim])])], { perm: [0, 2, 1, 3] });
}

interface Attending { readonly at: string; readonly x: string; readonly k: string; readonly v: string; readonly mask?: string; readonly shown: boolean }

/** x + attention; the probabilities are an output where they are `shown`. */
function attend(graph: Graph, { at, x, k, v, mask, shown }: Attending): string {
  const scores = graph.node('Mul', `${at}/Mul`, [graph.node('MatMul', `${at}/MatMul`, [split(graph, at, x, 'q_proj'), graph.node('Transpose', `${at}/Transpose_k`, [k], { perm: [0, 1, 3, 2] })]), graph.put(tensorOf('scale', [], [1 / Math.sqrt(dim)]))]);
  const probs = graph.node('Softmax', `${at}/Softmax`, [mask === undefined ? scores : graph.node('Add', `${at}/Add`, [scores, mask])], { axis: -1 });
  if (shown) { graph.nodes.push({ op: 'Identity', name: `${at}/shown`, inputs: [probs], outputs: [`${at.slice(1)}.probs`] }); graph.outputs.push({ name: `${at.slice(1)}.probs`, type: float, dims: ['batch', heads, 'queries', 'keys'] }); }
  const mixed = graph.node('Reshape', `${at}/Reshape`, [graph.node('Transpose', `${at}/Transpose`, [graph.node('MatMul', `${at}/MatMul_1`, [probs, v])], { perm: [0, 2, 1, 3] }), graph.ints([0, 0, width])]);
  return graph.node('Add', `${at}/Add_out`, [x, graph.node('MatMul', `${at}/out_proj/MatMul`, [mixed, graph.weight(`${at.slice(1).replaceAll('/', '.')}.out_proj.weight`, [width, width], 0.1)])]);
}

function hidden(graph: Graph, mask: string): string {
  const away = graph.node('Sub', `/${mask}/Sub`, [graph.put(tensorOf('one', [], [1])), graph.node('Cast', `/${mask}/Cast`, [graph.node('Unsqueeze', `/${mask}/Unsqueeze`, [mask, graph.ints([1, 2])])], { to: float })]);
  return graph.node('Mul', `/${mask}/Mul`, [away, graph.put(tensorOf('lowest', [], [-3.4028234663852886e38]))]);
}

function encoder({ speech = false, layers = 2, vocabulary = 40, mels = 16, shown = false, half = false }: PairSize): NewModel {
  const graph = new Graph(), mask = speech ? undefined : hidden(graph, 'attention_mask');
  // Of speech every second frame, as Whisper's convolutions leave them.
  let x = speech ? graph.node('MatMul', '/encoder/conv/MatMul', [graph.node('Slice', '/encoder/Slice', [graph.node('Transpose', '/encoder/Transpose', ['input_features'], { perm: [0, 2, 1] }), graph.ints([0]), graph.ints([100_000]), graph.ints([1]), graph.ints([2])]), graph.weight('encoder.conv.weight', [mels, width], 0.4)])
    : graph.node('Gather', '/encoder/embed/Gather', [graph.weight('shared.weight', [vocabulary, width], 1), 'input_ids']);
  for (let l = 0; l < layers; l++) { const at = `/encoder/layers.${l}/self_attn`; x = attend(graph, { at, x, k: split(graph, at, x, 'k_proj'), v: split(graph, at, x, 'v_proj'), ...(mask === undefined ? {} : { mask }), shown }); }
  graph.nodes.push({ op: 'Cast', name: '/encoder/out', inputs: [x], outputs: ['last_hidden_state'], attributes: { to: half ? float16 : float } });
  graph.outputs.unshift({ name: 'last_hidden_state', type: half ? float16 : float, dims: ['batch', 'source', width] });
  return graph.model(speech ? [{ name: 'input_features', type: float, dims: ['batch', mels, 'frames'] }] : ['input_ids', 'attention_mask'].map(name => ({ name, type: int64, dims: ['batch', 'source'] })));
}

function decoder({ speech = false, layers = 2, vocabulary = 40, shown = false, half = false }: PairSize, past: boolean): NewModel {
  const graph = new Graph(), length = (value: string, axis: number): string => graph.node('Gather', `/length/${value.replaceAll('/', '_')}`, [graph.node('Shape', `/shape/${value.replaceAll('/', '_')}`, [value]), graph.ints(axis)], { axis: 0 });
  const before = past ? length('past_key_values.0.decoder.key', 2) : graph.ints(0), end = graph.node('Add', '/end', [before, length('input_ids', 1)]), all = graph.node('Range', '/Range', [graph.ints(0), end, graph.ints(1)]);
  const rows = graph.node('Range', '/Range_rows', [before, end, graph.ints(1)]), causal = graph.node('LessOrEqual', '/causal', [graph.node('Unsqueeze', '/columns', [all, graph.ints([0])]), graph.node('Unsqueeze', '/rows', [rows, graph.ints([1])])]);
  const mask = graph.node('Where', '/Where', [causal, graph.put(tensorOf('zero', [], [0])), graph.put(tensorOf('lowest', [], [-3.4028234663852886e38]))]), cross = speech ? undefined : hidden(graph, 'encoder_attention_mask');
  let x = graph.node('Add', '/decoder/Add', [graph.node('Gather', '/decoder/embed/Gather', [graph.weight('shared.weight', [vocabulary, width], 1), 'input_ids']), graph.node('Gather', '/decoder/positions/Gather', [graph.weight('decoder.embed_positions.weight', [24, width], 1), rows])]);
  const pasts: string[] = [], wide = past ? '' : graph.node('Cast', '/decoder/states', ['encoder_hidden_states'], { to: float });
  for (let l = 0; l < layers; l++) {
    const own = `/decoder/layers.${l}/self_attn`, other = `/decoder/layers.${l}/encoder_attn`, keep = (side: string, part: string, made: string | undefined): string => {
      const name = `past_key_values.${l}.${side}.${part}`, present = name.replace('past_key_values', 'present');
      if (past) pasts.push(name);
      if (made === undefined) return name;
      const value = past && side === 'decoder' ? graph.node('Concat', `/past/${l}/${part}`, [name, made], { axis: 2 }) : made;
      graph.nodes.push({ op: 'Identity', name: `/${present}`, inputs: [value], outputs: [present] });
      graph.outputs.push({ name: present, type: float, dims: ['batch', heads, 'kept', dim] });
      return value;
    };
    x = attend(graph, { at: own, x, k: keep('decoder', 'key', split(graph, own, x, 'k_proj')), v: keep('decoder', 'value', split(graph, own, x, 'v_proj')), mask, shown });
    const states = (part: string): string | undefined => (past ? undefined : split(graph, other, wide, part));
    x = attend(graph, { at: other, x, k: keep('encoder', 'key', states('k_proj')), v: keep('encoder', 'value', states('v_proj')), ...(cross === undefined ? {} : { mask: cross }), shown });
  }
  graph.nodes.push({ op: 'MatMul', name: '/lm_head/MatMul', inputs: [x, graph.weight('lm_head.weight', [width, vocabulary], 0.3)], outputs: ['logits'] });
  graph.outputs.unshift({ name: 'logits', type: float, dims: ['batch', 'target', vocabulary] });
  return graph.model([
    { name: 'input_ids', type: int64, dims: ['batch', 'target'] }, ...(speech ? [] : [{ name: 'encoder_attention_mask', type: int64, dims: ['batch', 'source'] }]), ...(past ? [] : [{ name: 'encoder_hidden_states', type: half ? float16 : float, dims: ['batch', 'source', width] }]),
    ...pasts.map(name => ({ name, type: float, dims: ['batch', heads, 'kept', dim] })),
  ]);
}
