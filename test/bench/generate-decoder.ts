/** Writes random decoders of any size for benchmarks and memory probes: weights streamed to the .onnx itself or to a file beside it. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel, type ExternalTensor } from '../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../extension/engine/onnx/encode.ts';
import { toHalf } from '../../extension/engine/maths/half.ts';
import { dataType, type NewNode, type NewTensor } from '../../extension/engine/onnx/model.ts';

export interface DecoderSize {
  readonly layers: number; readonly heads: number; readonly width: number; readonly vocabulary: number; readonly positions: number;
  /** Weights, and everything that is computed from them, as float16. */
  readonly half?: boolean;
}

/** The bench model of the issues: 12 layers, 12 heads, 768 wide. */
export const benchSize: DecoderSize = { layers: 12, heads: 12, width: 768, vocabulary: 8192, positions: 4096 };

/** Cheap deterministic numbers in (−1, 1), near enough to normal for a benchmark: the sum of three uniforms. */
function noise(count: number, std: number, seed: number): Float32Array {
  const out = new Float32Array(count);
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = (): number => { state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0; return state / 4294967296 - 0.5; };
  for (let i = 0; i < count; i++) out[i] = (next() + next() + next()) * 2 * std;
  return out;
}

/** Writes `model.onnx` and `weights.bin` into `folder`; inputs `input_ids`, `attention_mask` [batch, sequence] int64; output `logits`. Returns the model's path. */
export function generateDecoder(folder: string, size: DecoderSize): string {
  mkdirSync(folder, { recursive: true });
  const { layers, heads, width, vocabulary, positions, half: halves = false } = size, dim = width / heads, type = halves ? dataType.float16 : dataType.float;
  const weights = openSync(join(folder, 'weights.bin'), 'w');
  let at = 0;
  const external: ExternalTensor[] = [], inline: NewTensor[] = [], nodes: NewNode[] = [];
  const weight = (name: string, dims: readonly number[], std: number): string => {
    const values = noise(dims.reduce((a, b) => a * b, 1), std, external.length + 1), data = halves ? toHalf(values) : values;
    writeSync(weights, new Uint8Array(data.buffer));
    external.push({ name, type, dims, location: 'weights.bin', offset: at, length: data.byteLength });
    at += data.byteLength;
    return name;
  };
  const floats = (name: string, dims: readonly number[], values: readonly number[]): NewTensor => (halves ? { name, type, dims, data: new Uint8Array(toHalf(Float32Array.from(values)).buffer) } : tensorOf(name, dims, values));
  const ints = (name: string, values: readonly number[], scalar = false): string => { inline.push(tensorOf(name, scalar ? [] : [values.length], values, dataType.int64)); return name; };
  const number = (name: string, value: number): string => { inline.push(floats(name, [], [value])); return name; };
  const node = (op: string, name: string, inputs: readonly string[], attributes?: NewNode['attributes'], outputs: readonly string[] = [`${name}_output_0`]): string => {
    nodes.push({ op, name, inputs, outputs, attributes });
    return outputs[0];
  };
  inline.push(floats('one_width', [width], Array<number>(width).fill(1)), floats('zero_width', [width], Array<number>(width).fill(0)));
  const zero = number('zero', 0), lowest = number('lowest', halves ? -65_504 : -3.4028234663852886e38), scale = number('scale', 1 / Math.sqrt(dim)), half = number('half', 0.5), one = number('one', 1), root = number('sqrt2', Math.SQRT2);
  const i0 = ints('i0', [0], true), i1 = ints('i1', [1], true), heads4 = ints('heads4', [0, 0, heads, dim]), merged = ints('merged', [0, 0, width]), axis0 = ints('axis0', [0]), axis1 = ints('axis1', [1]), axes12 = ints('axes12', [1, 2]);

  const shape = node('Shape', '/Shape', ['input_ids']), length = node('Gather', '/Gather_len', [shape, i1], { axis: 0 });
  const range = node('Range', '/Range', [i0, length, i1]);
  const queries = node('Unsqueeze', '/Unsqueeze_q', [range, axis1]), keys = node('Unsqueeze', '/Unsqueeze_k', [range, axis0]);
  const causal = node('LessOrEqual', '/LessOrEqual', [keys, queries]);
  const padding = node('Cast', '/Cast_mask', [node('Unsqueeze', '/Unsqueeze_mask', ['attention_mask', axes12])], { to: dataType.bool });
  const mask = node('Where', '/Where', [node('And', '/And', [causal, padding]), zero, lowest]);
  let x = node('Add', '/Add', [node('Gather', '/wte/Gather', [weight('wte.weight', [vocabulary, width], 0.5), 'input_ids']), node('Gather', '/wpe/Gather', [weight('wpe.weight', [positions, width], 0.2), range])]);
  for (let l = 0; l < layers; l++) {
    const p = `/layers.${l}`, w = `layers.${l}`;
    const norm = node('LayerNormalization', `${p}/ln_1/LayerNormalization`, [x, 'one_width', 'zero_width']);
    const project = (part: string): string => node('Transpose', `${p}/attn/Transpose_${part}`, [node('Reshape', `${p}/attn/Reshape_${part}`, [node('MatMul', `${p}/attn/${part}_proj/MatMul`, [norm, weight(`${w}.attn.${part}_proj.weight`, [width, width], 0.06)]), heads4])], { perm: [0, 2, part === 'k' ? 3 : 1, part === 'k' ? 1 : 3] });
    const scores = node('Mul', `${p}/attn/Mul`, [node('MatMul', `${p}/attn/MatMul`, [project('q'), project('k')]), scale]);
    const probs = node('Softmax', `${p}/attn/Softmax`, [node('Add', `${p}/attn/Add`, [scores, mask])], { axis: -1 });
    const mixed = node('MatMul', `${p}/attn/MatMul_1`, [probs, project('v')]);
    const out = node('MatMul', `${p}/attn/o_proj/MatMul`, [node('Reshape', `${p}/attn/Reshape`, [node('Transpose', `${p}/attn/Transpose`, [mixed], { perm: [0, 2, 1, 3] }), merged]), weight(`${w}.attn.o_proj.weight`, [width, width], 0.02)]);
    x = node('Add', `${p}/Add`, [x, out]);
    const up = node('MatMul', `${p}/mlp/up/MatMul`, [node('LayerNormalization', `${p}/ln_2/LayerNormalization`, [x, 'one_width', 'zero_width']), weight(`${w}.mlp.up.weight`, [width, 4 * width], 0.03)]);
    const gelu = node('Mul', `${p}/mlp/Mul_1`, [node('Mul', `${p}/mlp/Mul`, [up, node('Add', `${p}/mlp/Add`, [node('Erf', `${p}/mlp/Erf`, [node('Div', `${p}/mlp/Div`, [up, root])]), one])]), half]);
    x = node('Add', `${p}/Add_1`, [x, node('MatMul', `${p}/mlp/down/MatMul`, [gelu, weight(`${w}.mlp.down.weight`, [4 * width, width], 0.02)])]);
  }
  node('MatMul', '/lm_head/MatMul', [node('LayerNormalization', '/ln_f/LayerNormalization', [x, 'one_width', 'zero_width']), weight('lm_head.weight', [width, vocabulary], 0.05)], undefined, ['logits']);
  closeSync(weights);
  const ids = { type: dataType.int64, dims: ['batch', 'sequence'] };
  writeFileSync(join(folder, 'model.onnx'), buildModel({ nodes, initializers: [...inline, ...external], inputs: [{ name: 'input_ids', ...ids }, { name: 'attention_mask', ...ids }], outputs: [{ name: 'logits', type, dims: ['batch', 'sequence', vocabulary] }] }));
  return join(folder, 'model.onnx');
}
