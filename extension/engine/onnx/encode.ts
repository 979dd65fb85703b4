/** Writes protobuf messages of ONNX: pieces of bytes that are joined once, so that copied ranges cost nothing. */
import { dataType, type NewAttribute, type NewNode, type NewTensor, type ValueInfo } from './model.ts';

/** A message under construction. */
export class Pieces {
  private readonly parts: Uint8Array[] = [];
  length = 0;

  raw(bytes: Uint8Array): this {
    if (bytes.length) { this.parts.push(bytes); this.length += bytes.length; }
    return this;
  }
  varint(number: number, value: number): this { return this.raw(encodeVarint(number * 8)).raw(encodeVarint(value)); }
  float(number: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.raw(encodeVarint(number * 8 + 5)).raw(bytes);
  }
  text(number: number, value: string): this { return this.bytes(number, Buffer.from(value)); }
  bytes(number: number, value: Uint8Array): this { return this.head(number, value.length).raw(value); }
  message(number: number, value: Pieces): this {
    this.head(number, value.length);
    for (const part of value.parts) this.parts.push(part);
    this.length += value.length;
    return this;
  }
  packed(number: number, values: readonly number[]): this {
    const inner = new Pieces();
    for (const value of values) inner.raw(encodeVarint(value));
    return this.message(number, inner);
  }
  join(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) { whole.set(part, at); at += part.length; }
    return whole;
  }
  private head(number: number, length: number): this { return this.raw(encodeVarint(number * 8 + 2)).raw(encodeVarint(length)); }
}

/** Nothing writes into pieces, so that short ones can be shared. */
const oneByte: readonly Uint8Array[] = Array.from({ length: 128 }, (_, value) => Uint8Array.of(value));

/** A signed 64-bit integer (beyond 2^53 the nearest double, clamped) as a varint. */
export function encodeVarint(value: number): Uint8Array {
  if (value >= 0 && value < 128) return oneByte[value];
  if (value >= 0 && value < 2 ** 14) return Uint8Array.of(value & 127 | 128, value >> 7);
  const top = value >= 2 ** 63 ? 2n ** 63n - 1n : value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(value);
  let rest = BigInt.asUintN(64, top);
  const bytes: number[] = [];
  do { bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0)); rest >>= 7n; } while (rest);
  return new Uint8Array(bytes);
}

/** NodeProto. */
export function encodeNode(node: NewNode): Pieces {
  const out = new Pieces();
  for (const input of node.inputs) out.text(1, input);
  for (const output of node.outputs) out.text(2, output);
  out.text(3, node.name).text(4, node.op);
  for (const [name, value] of Object.entries(node.attributes ?? {})) out.message(5, encodeAttribute(name, value));
  if (node.domain) out.text(7, node.domain);
  return out;
}

/** AttributeProto; the last field is its AttributeType. */
function encodeAttribute(name: string, value: NewAttribute): Pieces {
  const out = new Pieces().text(1, name);
  if (typeof value === 'number') return out.varint(3, value).varint(20, 2);
  if (typeof value === 'string') return out.text(4, value).varint(20, 3);
  if (Array.isArray(value)) return out.packed(8, value).varint(20, 7);
  if ('float' in value) return out.float(2, value.float).varint(20, 1);
  if ('tensor' in value) return out.message(5, encodeTensor(value.tensor)).varint(20, 4);
  for (const each of (value as { floats: readonly number[] }).floats) out.float(7, each);
  return out.varint(20, 6);
}

/** TensorProto with its bytes inline. */
export function encodeTensor(tensor: NewTensor): Pieces {
  return new Pieces().packed(1, tensor.dims).varint(2, tensor.type).text(8, tensor.name).bytes(9, tensor.data);
}

/** ValueInfoProto; without a type when none is known, which lets onnxruntime infer it. */
export function encodeValueInfo(value: ValueInfo): Pieces {
  const out = new Pieces().text(1, value.name);
  if (value.type === undefined) return out;
  const tensor = new Pieces().varint(1, value.type);
  if (value.dims) {
    const shape = new Pieces();
    for (const dim of value.dims) {
      const entry = new Pieces();
      if (typeof dim === 'number') entry.varint(1, dim); else if (dim !== undefined) entry.text(2, dim);
      shape.message(1, entry);
    }
    tensor.message(2, shape);
  }
  return out.message(2, new Pieces().message(1, tensor));
}

/** A tensor of numbers, in the type given (float or int64 unless said otherwise). */
export function tensorOf(name: string, dims: readonly number[], values: readonly number[], type: number = dataType.float): NewTensor {
  const size = type === dataType.int64 || type === dataType.double ? 8 : type === dataType.bool || type === dataType.uint8 || type === dataType.int8 ? 1 : 4;
  const data = new Uint8Array(values.length * size), view = new DataView(data.buffer);
  values.forEach((value, i) => {
    switch (type) {
      case dataType.float: view.setFloat32(i * 4, value, true); break;
      case dataType.double: view.setFloat64(i * 8, value, true); break;
      case dataType.int64: view.setBigInt64(i * 8, BigInt(value), true); break;
      case dataType.int32: view.setInt32(i * 4, value, true); break;
      case dataType.bool: case dataType.uint8: case dataType.int8: view.setUint8(i, value & 255); break;
      default: throw new Error(`tensorOf cannot write elements of type ${type}`);
    }
  });
  return { name, type, dims, data };
}
