/** Reads a located projection as float32, dequantized, of the chosen heads only; the file is read row by row. */
import { UserError } from '../../contract/errors.ts';
import type { Quantization, WeightPlace, WeightVector } from '../../contract/site.ts';
import type { Model, Tensor } from '../onnx/model.ts';
import { elementBytes, elementCount, numbersOf, readTensor, tensorRange } from '../onnx/tensors.ts';

/** Numbers of one projection that are held in memory at once. */
export const mostNumbers = 2 ** 28;

export interface ReadWeights {
  /** W_Q, W_K, W_V: [width, head, dim]; W_O: [head, dim, width]. */
  readonly shape: readonly [number, number, number];
  readonly data: Float32Array;
  /** [head, dim], for W_O [width]; undefined where there is none. */
  readonly bias: Float32Array | undefined;
}

/** `part` says which way round the numbers come. Errors: `UserError` where the projection is too large or its file cannot be read. */
export function readWeights(model: Model, place: WeightPlace, part: 'q' | 'k' | 'v' | 'o'): ReadWeights {
  const { heads, dim, width, at } = place, tensor = tensorNamed(model, place.tensor), own = heads * dim;
  if (own * width > mostNumbers) throw new UserError(`The weight ${place.tensor} has ${own * width} numbers for these heads; at most ${mostNumbers} are read at once.`, 'Read a model with smaller layers.');
  const cell = numbersIn(model, tensor, place.quantization, width), data = new Float32Array(own * width);
  const indices = Array.from({ length: own }, (_, i) => at[0] + Math.floor(i / dim) * at[1] + (i % dim) * at[2]);
  // Row by row of the tensor, wherever its heads lie.
  if (place.axis === 0) {
    indices.forEach((index, i) => { const row = cell(index); for (let x = 0; x < width; x++) data[part === 'o' ? i * width + x : x * own + i] = row[x]; });
  } else {
    for (let x = 0; x < width; x++) { const row = cell(x); for (let i = 0; i < own; i++) data[part === 'o' ? i * width + x : x * own + i] = row[indices[i]]; }
  }
  return { shape: part === 'o' ? [heads, dim, width] : [width, heads, dim], data, bias: place.bias ? readVector(model, place.bias, place) : undefined };
}

function readVector(model: Model, { tensor, at }: WeightVector, { heads, dim, width }: WeightPlace): Float32Array {
  const numbers = readTensor(model, tensorNamed(model, tensor), mostVector);
  if (!numbers) throw unreadable(tensor);
  return Float32Array.from({ length: at ? heads * dim : width }, (_, i) => numbers[at ? at[0] + Math.floor(i / dim) * at[1] + (i % dim) * at[2] : numbers.length === 1 ? 0 : i]);
}

const mostVector = 2 ** 22;
const unreadable = (name: string): UserError => new UserError(`The weight ${name} cannot be read: its type or its size is not what its operator takes.`, 'Export the model again.');

function tensorNamed(model: Model, name: string): Tensor {
  const tensor = model.graph.initializers.get(name);
  if (!tensor) throw new UserError(`The model has no weight ${name}.`, 'List its sites again.');
  return tensor;
}

type Row = (index: number) => ArrayLike<number>;

/** A row of the tensor as floats. `width`: length of a row of MatMulNBits, whose tensor is packed. */
function numbersIn(model: Model, tensor: Tensor, quantization: Quantization | null, width: number): Row {
  if (quantization?.kind === 'blocks') return blocksOf(model, tensor, quantization, width);
  const [, columns] = tensor.dims, raw = rowsOf(model, tensor, columns);
  if (!quantization) return raw;
  const scales = vectorNamed(model, quantization.scales), zeros = quantization.zeroPoints === null ? undefined : vectorNamed(model, quantization.zeroPoints);
  const { axis: given, blockSize } = quantization, axis = given < 0 ? given + 2 : given;
  const at = blockSize ? (r: number, c: number) => (axis === 0 ? Math.floor(r / blockSize) * columns + c : r * Math.ceil(columns / blockSize) + Math.floor(c / blockSize))
    : scales.length === 1 ? () => 0 : (r: number, c: number) => (axis === 0 ? r : c);
  return r => Float32Array.from(raw(r), (value, c) => { const i = at(r, c); return (value - (zeros ? zeros[zeros.length === 1 ? 0 : i] : 0)) * scales[i]; });
}

function vectorNamed(model: Model, name: string): ArrayLike<number> {
  const tensor = tensorNamed(model, name), count = elementCount(tensor.dims);
  if (count > mostNumbers) throw unreadable(name);
  if (bitsOf(tensor.type) === 4) return nibbles(tensorRange(model, tensor, 0, Math.ceil(count / 2)) ?? new Uint8Array(0), 0, count, tensor.type);
  const numbers = readTensor(model, tensor, mostNumbers);
  if (!numbers) throw unreadable(name);
  return numbers;
}

/** TensorProto.DataType of UINT4 and INT4. */
const uint4 = 21, int4 = 22;
function bitsOf(type: number): number | undefined { return type === uint4 || type === int4 ? 4 : undefined; }

/** `count` elements of four bits from element `from` on, low half of a byte first. */
function nibbles(bytes: Uint8Array, from: number, count: number, type: number): number[] {
  return Array.from({ length: count }, (_, i) => { const at = from + i, half = (bytes[at >> 1] >> (4 * (at & 1))) & 15; return type === int4 && half > 7 ? half - 16 : half; });
}

function rowsOf(model: Model, tensor: Tensor, columns: number): Row {
  const { type, name } = tensor, packed = bitsOf(type), bits = packed ?? 8 * (elementBytes(type) ?? NaN);
  if (tensor.place.kind === 'typed' && !packed) {
    const all = readTensor(model, tensor, mostNumbers);
    if (!all) throw unreadable(name);
    return r => all.slice(r * columns, (r + 1) * columns);
  }
  if (Number.isNaN(bits)) throw unreadable(name);
  return chunked(model, tensor, { rows: tensor.dims[0], rowBits: columns * bits }, (bytes, bit) => (packed ? nibbles(bytes, bit / 4, columns, type) : numbersOf(bytes.subarray(bit / 8, bit / 8 + columns * bits / 8), type)));
}

/** Neighbouring rows are read together, about a megabyte at a time; `numbers` gets the bytes and the bit at which the row starts in them. */
function chunked(model: Model, tensor: Tensor, { rows, rowBits }: { readonly rows: number; readonly rowBits: number }, numbers: (bytes: Uint8Array, bit: number, row: number) => ArrayLike<number>): Row {
  const together = Math.max(1, Math.floor(2 ** 23 / Math.max(rowBits, 1)));
  let first = -1, bytes = new Uint8Array(0);
  return row => {
    if (!(row < rows)) throw unreadable(tensor.name);
    const start = Math.floor(row / together) * together, from = Math.floor(start * rowBits / 8);
    if (start !== first) {
      const read = tensorRange(model, tensor, from, Math.ceil(Math.min(start + together, rows) * rowBits / 8) - from);
      if (!read) throw unreadable(tensor.name);
      bytes = new Uint8Array(read);
      first = start;
    }
    return numbers(bytes, row * rowBits - from * 8, row);
  };
}

const uint8 = 2;

/** MatMulNBits: row n is output n, packed low bits first, with one scale a block; without zero points the middle of the range is zero. */
function blocksOf(model: Model, tensor: Tensor, { scales: scaleName, zeroPoints, bits, blockSize }: Extract<Quantization, { kind: 'blocks' }>, width: number): Row {
  const blocks = Math.ceil(width / blockSize), rowBits = blocks * blockSize * bits, scales = vectorNamed(model, scaleName), mask = 2 ** bits - 1;
  const zeroTensor = zeroPoints === null ? undefined : tensorNamed(model, zeroPoints), zeros = zeroTensor && vectorNamed(model, zeroTensor.name), zeroBytes = Math.ceil((blocks * bits) / 8);
  const zero = (row: number, block: number): number => (!zeros ? 2 ** (bits - 1) : zeroTensor!.type === uint8 ? (zeros[row * zeroBytes + ((block * bits) >> 3)] >> ((block * bits) & 7)) & mask : zeros[row * blocks + block]);
  return chunked(model, tensor, { rows: Math.floor(elementCount(tensor.dims) * 8 / rowBits), rowBits }, (bytes, first, row) => Float32Array.from({ length: width }, (_, x) => {
    const bit = first + x * bits, block = Math.floor(x / blockSize);
    return (((bytes[bit >> 3] >> (bit & 7)) & mask) - zero(row, block)) * scales[row * blocks + block];
  }));
}
