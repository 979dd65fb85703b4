/** Skeletons with edits: order, rewiring, unknown fields, external data, and weights that nobody reads. */
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, expect, it } from 'vitest';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { Pieces, encodeNode, encodeValueInfo, encodeVarint, tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type Edits, type Model } from '../../../extension/engine/onnx/model.ts';
import { modelInfo, openModel } from '../../../extension/engine/onnx/open.ts';
import { readTensor } from '../../../extension/engine/onnx/tensors.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'onnx-skeleton-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function open(name: string, bytes: Uint8Array): Promise<Model> {
  writeFileSync(join(folder, name), bytes);
  return openModel(join(folder, name));
}
async function run(model: Model, edits: Edits, feeds: Record<string, ort.Tensor>): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(writeSkeleton(model, edits), { logSeverityLevel: 3, graphOptimizationLevel: 'basic', extra: { session: { model_external_initializers_file_folder_path: model.dataFolder } } });
  try { return await session.run(feeds); } finally { await session.release(); }
}
const x = { x: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [4]) };
/** y = relu(x + w) with a w of 512 floats cut to four by a slice, so that w's bytes stay in the file. */
const chain = buildModel({
  nodes: [
    { op: 'Slice', name: 'cut', inputs: ['w', 'from', 'to'], outputs: ['w4'] }, { op: 'Add', name: 'add', inputs: ['x', 'w4'], outputs: ['sum'] },
    { op: 'Relu', name: 'relu', inputs: ['sum'], outputs: ['y'] },
  ],
  inputs: [{ name: 'x', type: dataType.float, dims: [4] }], outputs: [{ name: 'y', type: dataType.float, dims: [4] }],
  initializers: [tensorOf('w', [512], Array.from({ length: 512 }, (_, i) => -i)), tensorOf('from', [1], [1], dataType.int64), tensorOf('to', [1], [5], dataType.int64)],
});

it('adds nodes, inputs, outputs and tensors, and rewires their readers', async () => {
  const model = await open('chain.onnx', chain);
  const edits: Edits = {
    // Given last things first: the writer has to order them, and to put them between add and relu.
    nodes: [
      { op: 'Add', name: 'n2', inputs: ['scaled', 'more'], outputs: ['sum2'] },
      { op: 'Mul', name: 'n1', inputs: ['sum', 'factor'], outputs: ['scaled'] },
    ],
    initializers: [tensorOf('factor', [], [10])],
    inputs: [{ name: 'more', type: dataType.float, dims: [4] }],
    outputs: [{ name: 'sum', type: dataType.float }, { name: 'scaled' }, { name: 'y' }],
    rewire: [{ from: 'sum', to: 'sum2' }],
  };
  const out = await run(model, edits, { ...x, more: new ort.Tensor('float32', Float32Array.of(100, 0, 0, 1), [4]) });
  expect(Object.keys(out).sort()).toEqual(['scaled', 'sum', 'y']);
  expect([...out.sum.data as Float32Array]).toEqual([0, 0, 0, 0]);
  expect([...out.y.data as Float32Array]).toEqual([100, 0, 0, 1]);
});

it('sorts old nodes too, where a new one makes an early node wait for a late one', async () => {
  const model = await open('late.onnx', buildModel({
    nodes: [
      { op: 'Relu', name: 'early', inputs: ['x'], outputs: ['a'] }, { op: 'Neg', name: 'reader', inputs: ['a'], outputs: ['y'] },
      { op: 'Exp', name: 'late', inputs: ['x'], outputs: ['b'] },
    ],
    inputs: [{ name: 'x', type: dataType.float, dims: [4] }], outputs: [{ name: 'y', type: dataType.float }, { name: 'b', type: dataType.float }],
  }));
  const out = await run(model, { nodes: [{ op: 'Sub', name: 'both', inputs: ['b', 'a'], outputs: ['c'] }], rewire: [{ from: 'a', to: 'c' }] }, x);
  expect((out.y.data as Float32Array)[1]).toBeCloseTo(-(Math.exp(2) - 2), 5);
});

it('rewires readers inside branches', async () => {
  const branch = (name: string, op: string): Pieces => new Pieces().message(1, encodeNode({ op, name, inputs: ['a', 'a'], outputs: [`${name}_out`] })).text(2, name).message(12, encodeValueInfo({ name: `${name}_out`, type: dataType.float }));
  const choose = encodeNode({ op: 'If', name: 'if', inputs: ['c'], outputs: ['y'] });
  for (const [name, op] of [['then_branch', 'Add'], ['else_branch', 'Mul']]) choose.message(5, new Pieces().text(1, name).message(6, branch(name, op)).varint(20, 5));
  const graph = new Pieces().message(1, encodeNode({ op: 'Relu', name: 'relu', inputs: ['x'], outputs: ['a'] })).message(1, choose).text(2, 'g')
    .message(11, encodeValueInfo({ name: 'x', type: dataType.float, dims: [4] })).message(11, encodeValueInfo({ name: 'c', type: dataType.bool, dims: [] })).message(12, encodeValueInfo({ name: 'y', type: dataType.float, dims: [4] }));
  const model = await open('if.onnx', new Pieces().varint(1, 8).message(7, graph).message(8, new Pieces().varint(2, 17)).join());
  const out = await run(model, { nodes: [{ op: 'Neg', name: 'neg', inputs: ['a'], outputs: ['b'] }], rewire: [{ from: 'a', to: 'b' }] }, { ...x, c: new ort.Tensor('bool', [true], []) });
  expect([...out.y.data as Float32Array]).toEqual([-2, -4, -6, -8]);
});

it('keeps unknown fields, byte for byte, at every depth', async () => {
  const odd = new Pieces().text(900, 'unknown').join();
  const graph = new Pieces().raw(odd).message(1, encodeNode({ op: 'Relu', name: 'r', inputs: ['x'], outputs: ['y'] }).raw(odd)).text(2, 'g')
    .message(5, new Pieces().packed(1, [512]).varint(2, 1).text(8, 'w').bytes(9, new Uint8Array(2048)).raw(odd))
    .message(11, encodeValueInfo({ name: 'x', type: 1, dims: [4] }).raw(odd)).message(12, encodeValueInfo({ name: 'y', type: 1, dims: [4] }));
  const bytes = new Pieces().varint(1, 8).message(7, graph).message(8, new Pieces().varint(2, 17)).raw(odd).raw(encodeVarint(901 * 8 + 1)).raw(new Uint8Array(8)).join();
  const skeleton = Buffer.from(writeSkeleton(await open('odd.onnx', bytes), { rewire: [{ from: 'x', to: 'x' }] }));
  const times = (haystack: Buffer): number => haystack.toString('latin1').split(Buffer.from(odd).toString('latin1')).length - 1;
  expect(times(skeleton)).toBe(5);
  expect(times(Buffer.from(bytes))).toBe(5);
  expect(skeleton.includes(Buffer.from(encodeVarint(901 * 8 + 1)))).toBe(true);
});

it('turns a big Constant into an initializer that stays in the file', async () => {
  const model = await open('constant.onnx', buildModel({
    nodes: [{ op: 'Constant', name: 'c', inputs: [], outputs: ['w'], attributes: { value: { tensor: tensorOf('', [512], Array.from({ length: 512 }, (_, i) => i)) } } }, { op: 'Add', name: 'a', inputs: ['x', 'w'], outputs: ['y'] }],
    inputs: [{ name: 'x', type: dataType.float, dims: [1] }], outputs: [{ name: 'y', type: dataType.float, dims: [512] }],
  }));
  expect(writeSkeleton(model).length).toBeLessThan(400);
  const out = await run(model, {}, { x: new ort.Tensor('float32', [0.5], [1]) });
  expect((out.y.data as Float32Array)[511]).toBe(511.5);
});

it('finds data through a cache of links, and says so in the skeleton', async () => {
  const blobs = join(folder, 'blobs'), snapshot = join(folder, 'snapshots', 'main');
  mkdirSync(blobs); mkdirSync(snapshot, { recursive: true });
  writeFileSync(join(blobs, 'bb'), new Uint8Array(Float32Array.from({ length: 400 }, (_, i) => i).buffer));
  writeFileSync(join(blobs, 'aa'), buildModel({
    nodes: [{ op: 'Add', name: 'add', inputs: ['x', 'w'], outputs: ['y'] }], inputs: [{ name: 'x', type: dataType.float, dims: [4] }], outputs: [{ name: 'y', type: dataType.float, dims: [4] }],
    initializers: [{ name: 'w', type: dataType.float, dims: [4], location: 'model.onnx_data', offset: 40, length: 16 }],
  }));
  symlinkSync(join(blobs, 'aa'), join(snapshot, 'model.onnx')); symlinkSync(join(blobs, 'bb'), join(snapshot, 'model.onnx_data'));
  const model = await openModel(snapshot), out = await run(model, {}, x);
  expect([...out.y.data as Float32Array]).toEqual([11, 13, 15, 17]);
  expect(readTensor(model, model.graph.initializers.get('w')!, 4)).toEqual([10, 11, 12, 13]);
});

it('opens and instruments 600 MB of weights by reading less than 2 MB, and hashes the graph without them', async () => {
  const path = join(folder, 'big.onnx'), layers = 150, megabytes = 4;
  const graph = new Pieces();
  for (let i = 0; i < layers; i++) graph.message(1, encodeNode({ op: 'MatMul', name: `m${i}`, inputs: [`h${i}`, `w${i}`], outputs: [`h${i + 1}`] }));
  graph.text(2, 'big').message(11, encodeValueInfo({ name: 'h0', type: 1, dims: [1, 1024] })).message(12, encodeValueInfo({ name: `h${layers}`, type: 1, dims: [1, 1024] }));
  const size = megabytes << 20, heads = Array.from({ length: layers }, (_, i) => new Pieces().packed(1, [1024, 1024]).varint(2, 1).text(8, `w${i}`).raw(encodeVarint(9 * 8 + 2)).raw(encodeVarint(size)).join());
  const length = (bytes: number): Uint8Array => new Pieces().raw(encodeVarint(5 * 8 + 2)).raw(encodeVarint(bytes)).join();
  const total = graph.length + heads.reduce((sum, head) => sum + length(head.length + size).length + head.length + size, 0);
  const fd = openSync(path, 'w');
  let at = 0;
  const put = (bytes: Uint8Array): void => { writeSync(fd, bytes, 0, bytes.length, at); at += bytes.length; };
  put(new Pieces().varint(1, 8).message(8, new Pieces().varint(2, 17)).raw(encodeVarint(7 * 8 + 2)).raw(encodeVarint(total)).join());
  put(graph.join());
  for (const head of heads) { put(length(head.length + size)); put(head); at += size; } // the payload is a hole of the disk: nothing is written
  ftruncateSync(fd, at);
  const model = await openModel(path);
  const skeleton = writeSkeleton(model, { outputs: [{ name: 'h7' }] });
  expect(model.bytes).toBeGreaterThan(600 << 20);
  expect(model.document.bytesRead).toBeLessThan(2 << 20);
  expect(skeleton.length).toBeLessThan(60_000);
  const last = model.graph.initializers.get('w149')!;
  expect(last.place).toMatchObject({ kind: 'raw', length: size });
  expect(last.place.offset + size).toBe(model.bytes);
  // Other weights, same graph: same hash. Another graph: another hash.
  writeSync(fd, Buffer.from('weights'), 0, 7, model.bytes - 1000);
  expect((await openModel(path)).graphHash).toBe(model.graphHash);
  writeSync(fd, Buffer.from('n0'), 0, 2, Buffer.from(model.document.bytes(0, 200)).indexOf('m0'));
  expect((await openModel(path)).graphHash).not.toBe(model.graphHash);
  closeSync(fd);
  expect(modelInfo(model)).toMatchObject({ file: 'big.onnx', nodes: layers, opsets: { '': 17 }, producer: '' });
});
