/** Little ONNX decoders whose weights are chosen so that the heads do what their name says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewNode, type NewTensor } from '../../../extension/engine/onnx/model.ts';

export type Behaviour = 'sink' | 'two-sinks' | 'even' | 'previous' | 'induction' | 'local' | 'overflow' | 'scores-overflow' | 'values-overflow';
export interface Options {
  /** The additive mask hides every key from query 2. */
  readonly masked?: boolean;
  /** Size of the products of matching queries and keys. */
  readonly strength?: number;
  /** The first position's value is next to nothing. */
  readonly valueless?: boolean;
  /** The model takes an attention mask and does nothing with it. */
  readonly deaf?: boolean;
  /** The model takes token types, and type 1 looks like another position. */
  readonly segments?: boolean;
}

const positions = 64, vocabulary = 16, heads = 2, dim = 96, width = heads * dim;

/**
 * One layer, two equal heads of size 96. The residual stream holds the position's one-hot vector (64), the token's (16) and the token
 * before it (16), so that q and k are free to look for any of them.
 */
export function tinyModel(folder: string, behaviour: Behaviour, { masked = false, strength = 40, valueless = false, deaf = false, segments = false }: Options = {}): string {
  mkdirSync(folder, { recursive: true });
  const initializers: NewTensor[] = [], nodes: NewNode[] = [];
  const floats = (name: string, shape: readonly number[], value: (...at: number[]) => number): string => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    initializers.push(tensorOf(name, shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, n) => value(...shape.map((size, axis) => Math.floor(n / strides[axis]) % size)))));
    return name;
  };
  const ints = (name: string, values: readonly number[]): string => { initializers.push(tensorOf(name, [values.length], values, dataType.int64)); return name; };
  const node = (op: string, name: string, inputs: readonly string[], attributes?: NewNode['attributes']): string => { nodes.push({ op, name, inputs, outputs: [`${name}_output_0`], attributes }); return `${name}_output_0`; };
  // Where things lie in the residual stream: position 0–63, token 64–79, previous token 80–95.
  const at = { position: 0, token: positions, previous: positions + vocabulary };
  const matched: Readonly<Record<Behaviour, (i: number, o: number) => readonly [q: number, k: number]>> = {
    sink: (i, o) => [i < positions && o === 0 ? strength : 0, i === 0 && o === 0 ? 1 : 0],
    // Positions 0 and 12 look alike to every query.
    'two-sinks': (i, o) => [i < positions && o === 0 ? strength : 0, (i === 0 || i === 12) && o === 0 ? 1 : 0],
    even: () => [0, 0],
    previous: (i, o) => [i < positions && i >= 1 && o === i - 1 ? strength : 0, i < positions && o === i ? 1 : 0],
    local: (i, o) => [i < positions && o === i ? strength : 0, i < positions && o === i ? 1 : 0],
    // A key whose previous token is the query's token. The first key has none.
    induction: (i, o) => [i >= at.token && i < at.previous && o === i - at.token ? strength : 0, i >= at.previous && o === i - at.previous ? 1 : 0],
    // Finite q and k whose products are beyond float32.
    'scores-overflow': (_i, o) => [o === 0 ? 1e20 : 0, o === 0 ? -1e20 : 0],
    'values-overflow': () => [0, 0],
    overflow: (i, o) => [o === 0 ? 3e38 : 0, i >= at.token && o === 0 ? -3e38 : 0],
  };
  const value = (i: number, o: number): number => {
    // Too much together, where token 3 follows token 2.
    if (behaviour === 'values-overflow' && (i === at.token + 3 || i === at.previous + 2) && o === dim + 5) return 3e38;
    // What token 1 and the first position bring in.
    return valueless && (i === 0 || i === at.token + 1) ? 1e-3 : ((i * 7 + o * 3) % 11) / 11 - 0.5;
  };
  const project = (part: 'q' | 'k' | 'v'): string => floats(`h.0.attn.${part}.weight`, [dim, width], (i, o) => (part === 'v' ? value(i, o) : matched[behaviour](i, o % dim)[part === 'q' ? 0 : 1]));
  floats('wte', [vocabulary, dim], (t, c) => (c === at.token + t ? 1 : 0));
  floats('wpe', [positions, dim], (t, c) => (c === t ? 1 : 0));
  floats('before', [vocabulary, dim], (t, c) => (c === at.previous + t ? 1 : 0));
  floats('zero_row', [1, 1, dim], () => 0);
  floats('scale', [], () => 1 / Math.sqrt(dim));
  floats('mask_all', [1, 1, positions, positions], (_b, _h, i, j) => (j > i || masked && i === 2 ? -3.4028234663852886e38 : 0));
  ints('split', [0, 0, heads, dim]);
  ints('merge', [0, 0, width]);
  const length = node('Slice', '/length', [node('Shape', '/Shape', ['input_ids']), ints('one', [1]), ints('two', [2]), ints('axis0', [0])]), zero = ints('zero', [0]);
  const embedded = node('Gather', '/wte/Gather', ['wte', 'input_ids']), place = node('Slice', '/wpe/Slice', ['wpe', zero, length, 'axis0']);
  const shifted = node('Concat', '/Concat', ['zero_row', node('Slice', '/Slice_last', [node('Gather', '/before/Gather', ['before', 'input_ids']), zero, ints('minus', [-1]), ints('axis1', [1])])], { axis: 1 });
  const plain = node('Add', '/Add', [node('Add', '/Add_1', [embedded, place]), shifted]);
  const x = segments ? node('Add', '/Add_types', [plain, node('Gather', '/types/Gather', [floats('types', [2, dim], (t, c) => (t === 1 && c === 2 ? 1 : 0)), 'token_type_ids'])]) : plain;
  const part = (name: 'q' | 'k' | 'v'): string => node('Transpose', `/h.0/attn/Transpose_${name}`, [node('Reshape', `/h.0/attn/Reshape_${name}`, [node('MatMul', `/h.0/attn/${name}/MatMul`, [x, project(name)]), 'split'])], { perm: name === 'k' ? [0, 2, 3, 1] : [0, 2, 1, 3] });
  const square = node('Slice', '/Slice_mask', ['mask_all', ints('zeros', [0, 0]), node('Concat', '/Concat_1', [length, length], { axis: 0 }), ints('axes23', [2, 3])]);
  const scores = node('Add', '/h.0/attn/Add', [node('Mul', '/h.0/attn/Mul', [node('MatMul', '/h.0/attn/MatMul', [part('q'), part('k')]), 'scale']), square]);
  const mixed = node('MatMul', '/h.0/attn/MatMul_1', [node('Softmax', '/h.0/attn/Softmax', [scores], { axis: -1 }), part('v')]);
  const out = node('Reshape', '/h.0/attn/Reshape', [node('Transpose', '/h.0/attn/Transpose', [mixed], { perm: [0, 2, 1, 3] }), 'merge']);
  nodes.push({ op: 'MatMul', name: '/lm_head/MatMul', inputs: [out, floats('lm_head.weight', [width, vocabulary], (i, o) => ((i + o) % 5) / 5)], outputs: ['logits'] });
  const file = join(folder, `${[behaviour, masked && 'masked', strength !== 40 && strength, valueless && 'valueless', deaf && 'deaf', segments && 'segments'].filter(Boolean).join('-')}.onnx`);
  writeFileSync(file, buildModel({ nodes, initializers, inputs: [{ name: 'input_ids', type: dataType.int64, dims: ['batch', 'sequence'] }, ...[...(deaf ? ['attention_mask'] : []), ...(segments ? ['token_type_ids'] : [])].map(name => ({ name, type: dataType.int64, dims: ['batch', 'sequence'] }))], outputs: [{ name: 'logits', type: dataType.float, dims: ['batch', 'sequence', vocabulary] }] }));
  return file;
}

/** A safetensors file of int32 tensors. */
export function int32Tensors(tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>): Buffer {
  let at = 0;
  const header = Buffer.from(JSON.stringify(Object.fromEntries(Object.entries(tensors).map(([name, { shape, data }]) => { const from = at; at += data.length * 4; return [name, { dtype: 'I32', shape, data_offsets: [from, at] }]; }))));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...Object.values(tensors).map(({ data }) => Buffer.from(Int32Array.from(data).buffer))]);
}
