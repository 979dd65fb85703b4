/** Numbers of a tensor, read from wherever they lie when somebody asks for them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../contract/errors.ts';
import { dataType, type Field, type Model, type Tensor } from './model.ts';
import { FileBytes, wire } from './wire.ts';

/** Bytes of one element; undefined for types without a fixed size (strings, sub-byte types). */
export function elementBytes(type: number): number | undefined {
  switch (type) {
    case dataType.bool: case dataType.int8: case dataType.uint8: return 1;
    case dataType.float16: case dataType.bfloat16: case dataType.int16: case dataType.uint16: return 2;
    case dataType.float: case dataType.int32: case dataType.uint32: return 4;
    case dataType.double: case dataType.int64: case dataType.uint64: return 8;
    default: return undefined;
  }
}

export function elementCount(dims: readonly number[]): number { return dims.reduce((product, dim) => product * dim, 1); }

/**
 * The numbers of `tensor`, row-major; undefined where it has more than `maxElements`, no number type, or fewer bytes than its size says.
 * 64-bit integers become doubles. Errors: `UserError` where the file that holds them cannot be read.
 */
export function readTensor(model: Model, tensor: Tensor, maxElements: number): number[] | undefined {
  const count = elementCount(tensor.dims), size = elementBytes(tensor.type);
  if (!(count <= maxElements) || size === undefined) return undefined;
  if (tensor.place.kind === 'typed') return typedNumbers(model, tensor, count);
  const bytes = tensorBytes(model, tensor, count * size);
  return bytes && numbersOf(bytes, tensor.type);
}

/** The first `length` bytes of a tensor's payload (little endian), undefined where there are fewer. Typed fields have none. */
export function tensorBytes(model: Model, tensor: Tensor, length: number): Uint8Array | undefined { return tensorRange(model, tensor, 0, length); }

/** `length` bytes of a tensor's payload from byte `from` on. */
export function tensorRange(model: Model, tensor: Tensor, from: number, length: number): Uint8Array | undefined {
  const { place } = tensor;
  if (place.kind === 'typed' || (place.length >= 0 && place.length < from + length)) return undefined;
  if (place.kind === 'external') return readRange(model.dataFiles.get(place.location) ?? (place.location === model.ownData ? model.path : undefined), place.offset + from, length, tensor.name);
  return isHole(model, place.offset) ? readRange(model.path, place.offset + from, length, tensor.name) : model.document.bytes(place.offset + from, place.offset + from + length);
}

function isHole({ document: { holes } }: Model, start: number): boolean {
  let low = 0, high = holes.length;
  while (low < high) { const middle = (low + high) >> 1; if (holes[middle][0] < start) low = middle + 1; else high = middle; }
  return holes[low]?.[0] === start;
}

/** Little-endian elements of an ONNX type as numbers. */
export function numbersOf(bytes: Uint8Array, type: number): number[] {
  if (type === dataType.bool || type === dataType.uint8) return Array.from(bytes);
  if (type === dataType.float && bytes.length > 4096) return Array.from(new Float32Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 2));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), size = elementBytes(type) ?? 1;
  const read = readers[type];
  if (!read) return [];
  const numbers = new Array<number>(Math.floor(bytes.byteLength / size));
  for (let i = 0; i < numbers.length; i++) numbers[i] = read(view, i * size);
  return numbers;
}

export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const shared = new DataView(new ArrayBuffer(4));
function bfloatToNumber(bits: number): number {
  shared.setUint32(0, bits << 16);
  return shared.getFloat32(0);
}

const readers: Readonly<Record<number, (view: DataView, at: number) => number>> = {
  [dataType.float]: (v, at) => v.getFloat32(at, true), [dataType.double]: (v, at) => v.getFloat64(at, true),
  [dataType.float16]: (v, at) => halfToNumber(v.getUint16(at, true)), [dataType.bfloat16]: (v, at) => bfloatToNumber(v.getUint16(at, true)),
  [dataType.bool]: (v, at) => v.getUint8(at), [dataType.uint8]: (v, at) => v.getUint8(at), [dataType.int8]: (v, at) => v.getInt8(at),
  [dataType.uint16]: (v, at) => v.getUint16(at, true), [dataType.int16]: (v, at) => v.getInt16(at, true),
  [dataType.uint32]: (v, at) => v.getUint32(at, true), [dataType.int32]: (v, at) => v.getInt32(at, true),
  [dataType.uint64]: (v, at) => Number(v.getBigUint64(at, true)), [dataType.int64]: (v, at) => Number(v.getBigInt64(at, true)),
};

/** float_data, int32_data (also half floats and small integers, as bit patterns), int64_data, double_data, uint64_data. */
function typedNumbers(model: Model, tensor: Tensor, count: number): number[] | undefined {
  const { document } = model, numbers: number[] = [];
  const { offset, length } = tensor.place;
  const message = FileBytes.of(document.bytes(offset, offset + length), model.path);
  const half = tensor.type === dataType.float16 ? halfToNumber : tensor.type === dataType.bfloat16 ? bfloatToNumber : undefined;
  message.scan(0, length, field => {
    if (field.number === 4 || field.number === 10) numbers.push(...fixedNumbers(message, field));
    else if (field.number === 5 || field.number === 7 || field.number === 11) message.varints(field, numbers, count + 1);
  });
  if (numbers.length < count) return undefined;
  return half ? numbers.map(half) : numbers;
}

function fixedNumbers(message: FileBytes, field: Field): number[] {
  const type = field.number === 4 ? dataType.float : dataType.double;
  if (field.wire === wire.varint) return [];
  return numbersOf(message.bytes(field.at, field.end).slice(), type);
}

function readRange(path: string | undefined, offset: number, length: number, name: string): Uint8Array {
  if (path === undefined) throw new UserError(`The file with the tensor ${name} is not known.`, 'Open the model again.');
  const bytes = new Uint8Array(length);
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    if (readSync(fd, bytes, 0, length, offset) < length) throw new Error('it is shorter than it was');
    return bytes;
  } catch (error) {
    throw new UserError(`The tensor ${name} cannot be read from ${path}: ${(error as Error).message}.`, 'Put the file back, or export the model again.');
  } finally { if (fd !== undefined) closeSync(fd); }
}
