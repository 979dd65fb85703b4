/** Weights read back in every form that they are stored in, against what onnxruntime multiplies the identity with. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { toHalf } from '../../../extension/engine/maths/half.ts';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewNode, type NewTensor } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { readWeights } from '../../../extension/engine/sites/read-weights.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import type { ZooTensor } from '../../zoo/cases.ts';
import { runModel } from '../../zoo/session.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-weights-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const width = 32, heads = 4, dim = 8;
interface Form { readonly nodes: readonly NewNode[]; readonly tensors: readonly NewTensor[] }
const bytes = (name: string, dims: readonly number[], type: number, values: ArrayLike<number>): NewTensor => ({ name, type, dims, data: Uint8Array.from(values) });
const random = (count: number, seed: number, top: number): number[] => Array.from({ length: count }, (_, i) => Math.floor((Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453 % 1 + 1) % 1 * top));
const floats = (count: number, seed: number): number[] => random(count, seed, 1000).map(value => value / 500 - 1);
const scalesOf = (count: number, seed: number): number[] => random(count, seed, 100).map(value => 0.01 + value / 1000);

/** How `to` [1, 32, 32] is made of x, with a weight of another form. */
const forms: Readonly<Record<string, (to: string, seed: number) => Form>> = {
  'float32': (to, seed) => ({ nodes: [{ op: 'MatMul', name: to, inputs: ['x', `w${to}`], outputs: [to] }], tensors: [tensorOf(`w${to}`, [width, width], floats(width * width, seed))] }),
  'float16 behind a cast and a transpose': (to, seed): Form => ({
    nodes: [{ op: 'Cast', name: `${to}c`, inputs: [`w${to}`], outputs: [`${to}c`], attributes: { to: dataType.float } }, { op: 'Transpose', name: `${to}t`, inputs: [`${to}c`], outputs: [`${to}t`], attributes: { perm: [1, 0] } }, { op: 'MatMul', name: to, inputs: ['x', `${to}t`], outputs: [to] }] satisfies NewNode[],
    tensors: [{ name: `w${to}`, type: dataType.float16, dims: [width, width], data: new Uint8Array(toHalf(Float32Array.from(floats(width * width, seed))).buffer) }],
  }),
  'a transposed Gemm with a bias': (to, seed) => ({
    nodes: [{ op: 'Reshape', name: `${to}f`, inputs: ['x', 'flat'], outputs: [`${to}f`] }, { op: 'Gemm', name: `${to}g`, inputs: [`${to}f`, `w${to}`, `b${to}`], outputs: [`${to}g`], attributes: { transB: 1 } }, { op: 'Reshape', name: to, inputs: [`${to}g`, 'deep'], outputs: [to] }],
    tensors: [tensorOf(`w${to}`, [width, width], floats(width * width, seed)), tensorOf(`b${to}`, [width], floats(width, seed + 9))],
  }),
  ...Object.fromEntries([[4, false], [4, true], [8, true]].map(([bits, zeros]) => [`MatMulNBits of ${bits} bits${zeros ? ' with zero points' : ''}`, (to: string, seed: number): Form => {
    const block = 16, blocks = width / block, perByte = 8 / Number(bits);
    return {
      nodes: [{ op: 'MatMulNBits', domain: 'com.microsoft', name: to, inputs: ['x', `w${to}`, `s${to}`, ...(zeros ? [`z${to}`] : [])], outputs: [to], attributes: { K: width, N: width, bits: Number(bits), block_size: block } }],
      tensors: [bytes(`w${to}`, [width, blocks, block / perByte], dataType.uint8, random(width * width / perByte, seed, 256)), tensorOf(`s${to}`, [width * blocks], scalesOf(width * blocks, seed + 1)),
        ...(zeros ? [bytes(`z${to}`, [width * Math.ceil(blocks / perByte)], dataType.uint8, random(width * Math.ceil(blocks / perByte), seed + 2, 256))] : [])],
    };
  }])),
  ...Object.fromEntries([['one scale', undefined, []], ['a scale a column', 1, [width]], ['a scale a row', 0, [width]]].map(([what, axis, dims]) => [`int8 with ${what as string}`, (to: string, seed: number): Form => {
    const count = (dims as number[]).length ? width : 1;
    return {
      nodes: [{ op: 'DequantizeLinear', name: `${to}d`, inputs: [`w${to}`, `s${to}`, `z${to}`], outputs: [`${to}d`], ...(axis === undefined ? {} : { attributes: { axis: axis as number } }) }, { op: 'MatMul', name: to, inputs: ['x', `${to}d`], outputs: [to] }],
      tensors: [bytes(`w${to}`, [width, width], dataType.int8, random(width * width, seed, 256)), tensorOf(`s${to}`, dims as number[], scalesOf(count, seed + 1)), bytes(`z${to}`, dims as number[], dataType.int8, random(count, seed + 2, 20))],
    };
  }])),
  ...Object.fromEntries([[21, 'uint4'], [22, 'int4']].map(([type, what]) => [`${what} in blocks`, (to: string, seed: number): Form => ({
    nodes: [{ op: 'DequantizeLinear', name: `${to}d`, inputs: [`w${to}`, `s${to}`, `z${to}`], outputs: [`${to}d`], attributes: { axis: 0, block_size: 16 } }, { op: 'MatMul', name: to, inputs: ['x', `${to}d`], outputs: [to] }],
    tensors: [bytes(`w${to}`, [width, width], Number(type), random(width * width / 2, seed, 256)), tensorOf(`s${to}`, [2, width], scalesOf(2 * width, seed + 1)), bytes(`z${to}`, [2, width], Number(type), random(width, seed + 2, 256))],
  })])),
};

describe.each(Object.entries(forms))('%s', (what, form) => {
  it('is read as onnxruntime multiplies with it', async () => {
    const parts = ['q', 'k', 'v'].map((part, i) => form(part, i * 17 + 1)), split = (part: string, perm: readonly number[]): NewNode[] => [
      { op: 'Reshape', name: `${part}r`, inputs: [part, 'heads'], outputs: [`${part}r`] }, { op: 'Transpose', name: `${part}h`, inputs: [`${part}r`], outputs: [`${part}h`], attributes: { perm } },
    ];
    const file = join(folder, `${what.replace(/\W+/g, '-')}.onnx`);
    writeFileSync(file, buildModel({
      opset: { '': 21, 'com.microsoft': 1 },
      nodes: [...parts.flatMap(part => part.nodes), ...split('q', [0, 2, 1, 3]), ...split('k', [0, 2, 3, 1]), ...split('v', [0, 2, 1, 3]), { op: 'MatMul', name: 's', inputs: ['qh', 'kh'], outputs: ['s'] },
        { op: 'Softmax', name: 'softmax', inputs: ['s'], outputs: ['p'], attributes: { axis: -1 } }, { op: 'MatMul', name: 'mix', inputs: ['p', 'vh'], outputs: ['z'] }],
      inputs: [{ name: 'x', type: dataType.float, dims: [1, width, width] }], outputs: [{ name: 'z', type: dataType.float, dims: [1, heads, width, dim] }],
      initializers: [...parts.flatMap(part => part.tensors), tensorOf('heads', [4], [0, 0, heads, dim], dataType.int64), tensorOf('flat', [2], [-1, width], dataType.int64), tensorOf('deep', [3], [1, width, width], dataType.int64)],
    }));
    const model = await openModel(file), { plans: [plan] } = recognise(model), identity = Float64Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0));
    const ran = await runModel(model, new Map<string, ZooTensor>([['in.x', { dtype: 'F32', shape: [1, width, width], data: identity }]]), { outputs: ['q', 'k', 'v'].map(name => ({ name, type: dataType.float })) });
    for (const part of ['q', 'k', 'v'] as const) {
      const place = plan.site.weights![part];
      expect(place, part).not.toBeNull();
      const { data, bias, shape } = readWeights(model, place!, part), own = ran[part].data as Float32Array;
      expect(shape).toEqual([width, heads, dim]);
      // Row i of the product is row i of the weight; onnxruntime may keep what it unpacks of four bits as halves.
      expect(Math.max(...data.map((value, i) => Math.abs(value + (bias?.[i % width] ?? 0) - own[i])))).toBeLessThan(1e-5);
    }
    expect(() => readWeights(model, { ...plan.site.weights!.q!, tensor: 'nowhere' }, 'q')).toThrow('The model has no weight nowhere.');
  });
});
