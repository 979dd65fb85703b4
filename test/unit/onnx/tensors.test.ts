/** Numbers of tensors in every type and place: raw, typed fields (packed or not), and outside. Bit patterns are from the IEEE and bfloat16 definitions. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Pieces, encodeNode, encodeValueInfo, encodeVarint } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type Model } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { readTensor } from '../../../extension/engine/onnx/tensors.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'onnx-tensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A model whose only initializer is `tensor`. */
async function modelWith(tensor: Pieces): Promise<Model> {
  const graph = new Pieces().message(1, encodeNode({ op: 'Identity', name: 'i', inputs: ['w'], outputs: ['y'] })).text(2, 'g').message(5, tensor.text(8, 'w')).message(12, encodeValueInfo({ name: 'y' }));
  const path = join(folder, 'w.onnx');
  writeFileSync(path, new Pieces().varint(1, 8).message(7, graph).message(8, new Pieces().varint(2, 17)).join());
  return openModel(path);
}
const read = async (tensor: Pieces, most = 4096): Promise<readonly number[] | undefined> => {
  const model = await modelWith(tensor);
  return readTensor(model, model.graph.initializers.get('w')!, most);
};
const raw = (type: number, bytes: readonly number[], dims: readonly number[]): Pieces => new Pieces().packed(1, dims).varint(2, type).bytes(9, Uint8Array.from(bytes));

describe('raw bytes', () => {
  it.each<[string, number, readonly number[], readonly number[]]>([
    ['float16', dataType.float16, [0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00, 0x00, 0x7c], [1, -2, 65504, 2 ** -24, Infinity]],
    ['bfloat16', dataType.bfloat16, [0x80, 0x3f, 0x00, 0xc0, 0x49, 0x40], [1, -2, 3.140625]],
    ['float', dataType.float, [0x00, 0x00, 0x20, 0x41], [10]],
    ['double', dataType.double, [0x18, 0x2d, 0x44, 0x54, 0xfb, 0x21, 0x09, 0x40], [Math.PI]],
    ['int8', dataType.int8, [0xff, 0x80], [-1, -128]], ['uint8', dataType.uint8, [0xff], [255]], ['bool', dataType.bool, [1, 0], [1, 0]],
    ['int16', dataType.int16, [0xfe, 0xff], [-2]], ['uint16', dataType.uint16, [0xfe, 0xff], [65534]],
    ['int32', dataType.int32, [0xff, 0xff, 0xff, 0xff], [-1]], ['uint32', dataType.uint32, [0xff, 0xff, 0xff, 0xff], [4294967295]],
    ['int64', dataType.int64, [0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [-5]], ['uint64', dataType.uint64, [5, 0, 0, 0, 0, 0, 0, 0], [5]],
  ])('%s', async (_, type, bytes, numbers) => expect(await read(raw(type, bytes, [numbers.length]))).toEqual(numbers));
  it('says nothing where there are more than asked for, fewer than claimed, or no numbers at all', async () => {
    expect(await read(raw(dataType.uint8, [1, 2, 3], [3]), 2)).toBeUndefined();
    expect(await read(raw(dataType.float, [0, 0, 0, 0], [2]))).toBeUndefined();
    expect(await read(new Pieces().packed(1, [1]).varint(2, dataType.string).text(6, 'a'))).toBeUndefined();
    expect(await read(raw(dataType.float, [], [2 ** 40, 2 ** 40]))).toBeUndefined();
  });
});

describe('typed fields', () => {
  const head = (type: number, dims: readonly number[]): Pieces => new Pieces().packed(1, dims).varint(2, type);
  it('float_data, packed and one by one', async () => {
    const bytes = new Uint8Array(Float32Array.of(1.5, -2.25).buffer);
    expect(await read(head(dataType.float, [2]).bytes(4, bytes))).toEqual([1.5, -2.25]);
    expect(await read(head(dataType.float, [2]).float(4, 1.5).float(4, -2.25))).toEqual([1.5, -2.25]);
  });
  it('int32_data, which also holds halves and booleans', async () => {
    expect(await read(head(dataType.int32, [3]).packed(5, [1, -1, 2 ** 31 - 1]))).toEqual([1, -1, 2 ** 31 - 1]);
    expect(await read(head(dataType.float16, [2]).packed(5, [0x3c00, 0xc000]))).toEqual([1, -2]);
    expect(await read(head(dataType.bool, [2]).varint(5, 1).varint(5, 0))).toEqual([1, 0]);
  });
  it('int64_data, double_data and scalars', async () => {
    expect(await read(head(dataType.int64, [2]).packed(7, [-(2 ** 53), 7]))).toEqual([-(2 ** 53), 7]);
    expect(await read(head(dataType.double, [1]).bytes(10, new Uint8Array(Float64Array.of(Math.E).buffer)))).toEqual([Math.E]);
    expect(await read(new Pieces().varint(2, dataType.int64).varint(7, 9))).toEqual([9]);
  });
  it('large packed floats are left in the file like raw bytes', async () => {
    const model = await modelWith(head(dataType.float, [1000]).bytes(4, new Uint8Array(Float32Array.from({ length: 1000 }, (_, i) => i).buffer)));
    expect(writeSkeleton(model).length).toBeLessThan(200);
    expect(readTensor(model, model.graph.initializers.get('w')!, 1000)?.[999]).toBe(999);
  });
});

describe('varints', () => {
  it.each([[0, [0]], [127, [127]], [128, [128, 1]], [300, [172, 2]], [-1, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]], [2 ** 63, [255, 255, 255, 255, 255, 255, 255, 255, 127]]] as const)('%d', (value, bytes) => expect([...encodeVarint(value)]).toEqual([...bytes]));
});
