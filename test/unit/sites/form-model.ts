/** Small models of one attention, written with our own writer around q, k and v that are projected from x, and what is recognised in them. */
import { writeFileSync } from 'node:fs';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewAttribute, type NewNode, type NewTensor, type ValueInfo } from '../../../extension/engine/onnx/model.ts';
import type { ZooTensor } from '../../zoo/cases.ts';

export type Line = readonly [op: string, inputs: string, output: string, attributes?: Readonly<Record<string, NewAttribute>>, domain?: string];
export interface Built { readonly lines: readonly Line[]; readonly inputs?: readonly ValueInfo[]; readonly tensors?: readonly NewTensor[]; readonly opset?: number; readonly feeds?: Readonly<Record<string, ZooTensor>>; readonly output?: string }

/** Numbers that look random and are always the same. */
export function noise(count: number, seed: number, size = 1): number[] {
  return Array.from({ length: count }, (_, i) => size * Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 1.7);
}
export const ints = (name: string, ...values: number[]): NewTensor => tensorOf(name, [values.length], values, dataType.int64);
export const scalar = (name: string, value: number): NewTensor => tensorOf(name, [], [value]);
export const x: ZooTensor = { dtype: 'F32', shape: [2, 6, 8], data: Float64Array.from(noise(96, 1)) };
/** q and k, v [2, 2, 6, 4] out of x: kT is k transposed. */
const projected: Line[] = [
  ...(['q', 'k', 'v'] as const).flatMap((name): Line[] => [['MatMul', `x W${name}`, `${name}0`], ['Reshape', `${name}0 split`, `${name}1`], ['Transpose', `${name}1`, name, { perm: [0, 2, 1, 3] }]]),
  ['Transpose', 'k1', 'kT', { perm: [0, 2, 3, 1] }],
];
const weights: NewTensor[] = [...['q', 'k', 'v'].map((name, i) => tensorOf(`W${name}`, [8, 8], noise(64, i + 2, 0.5))), ints('split', 2, 6, 2, 4), ints('last', -1), ints('zero1', 0), scalar('half', 0.5)];
export const scores: Line[] = [['MatMul', 'q kT', 's0'], ['Mul', 's0 half', 's']];
export const mixed: Line = ['MatMul', 'p v', 'o'];
export const plain: Line[] = [['Softmax', 's', 'p', { axis: -1 }], mixed];

/** Writes the model to `path`. */
export function writeForm(path: string, { lines, inputs = [], tensors = [], opset = 17, output }: Built): void {
  const nodes: NewNode[] = [...projected, ...lines].map(([op, from, to, attributes, domain], i) => ({ op, name: `n${i}`, inputs: from.split(' ').map(name => (name === '_' ? '' : name)), outputs: to.split(' '), ...(attributes ? { attributes } : {}), ...(domain ? { domain } : {}) }));
  const domains = Object.fromEntries(nodes.flatMap(node => (node.domain ? [[node.domain, 1]] : [])));
  writeFileSync(path, buildModel({ nodes, inputs: [{ name: 'x', type: dataType.float, dims: [2, 6, 8] }, ...inputs], outputs: [{ name: output ?? nodes[nodes.length - 1].outputs[0], type: dataType.float }], initializers: [...weights, ...tensors], opset: { '': opset, ...domains } }));
}

/** A safetensors file of float32 tensors. */
export function writeTensors(path: string, tensors: Readonly<Record<string, ZooTensor>>): void {
  const table: Record<string, unknown> = {}, parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(Float32Array.from(data).buffer);
    table[name] = { dtype: 'F32', shape, data_offsets: [at, at += bytes.length] };
    parts.push(bytes);
  }
  const header = Buffer.from(JSON.stringify(table)), length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([length, header, ...parts]));
}
