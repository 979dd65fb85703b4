/** Tensors to feed, by the type that a graph declares. */
import { UserError } from '../../../contract/errors.ts';
import { dataType } from '../../onnx/model.ts';
import { fromHalf, toHalf } from '../../maths/half.ts';

export type FeedType = 'float32' | 'float16' | 'float64' | 'int64' | 'int32' | 'int16' | 'int8' | 'uint8' | 'bool';
export type FeedData = Float32Array | Float64Array | Uint16Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;
export interface Feed { readonly type: FeedType; readonly data: FeedData; readonly dims: readonly number[] }

const types: Readonly<Record<number, FeedType>> = {
  [dataType.float]: 'float32', [dataType.float16]: 'float16', [dataType.double]: 'float64', [dataType.int64]: 'int64', [dataType.int32]: 'int32',
  [dataType.int16]: 'int16', [dataType.int8]: 'int8', [dataType.uint8]: 'uint8', [dataType.bool]: 'bool',
};

/** Errors: `UserError` for types that cannot be fed. */
export function feedType(name: string, type: number | undefined): FeedType {
  const found = type === undefined ? 'float32' : types[type];
  if (!found) throw new UserError(`The input "${name}" has an element type (${type}) that cannot be fed.`, 'Export the model with float32 or integer inputs.');
  return found;
}

/** `values` in the type that the input declares. */
export function feedOf(type: FeedType, values: ArrayLike<number>, dims: readonly number[]): Feed {
  switch (type) {
    case 'float32': return { type, data: Float32Array.from(values), dims };
    case 'float64': return { type, data: Float64Array.from(values), dims };
    case 'float16': return { type, data: toHalf(Float32Array.from(values)), dims };
    case 'int64': return { type, data: BigInt64Array.from(values as ArrayLike<number> & Iterable<number>, number => BigInt(Math.trunc(number))), dims };
    case 'int32': return { type, data: Int32Array.from(values), dims };
    case 'int16': return { type, data: Int16Array.from(values), dims };
    case 'int8': return { type, data: Int8Array.from(values), dims };
    case 'uint8': return { type, data: Uint8Array.from(values), dims };
    case 'bool': return { type, data: Uint8Array.from(values, number => (number ? 1 : 0)), dims };
  }
}

/** The numbers of a feed, as doubles. */
export function numbersOfFeed({ type, data }: Pick<Feed, 'type' | 'data'>): number[] { return Array.from((type === 'float16' ? fromHalf(data as Uint16Array) : data) as ArrayLike<number | bigint>, Number); }
