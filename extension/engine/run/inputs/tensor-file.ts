/** Inputs from a safetensors file, whose tensors are named as the graph's inputs or with the prefix `in.`. */
import { closeSync, readSync } from 'node:fs';
import { UserError } from '../../../contract/errors.ts';
import { fromHalf } from '../../maths/half.ts';
import { openForReading, readSafetensors } from '../../trace/safetensors.ts';

export interface GivenTensor { readonly shape: readonly number[]; readonly values: ArrayLike<number> }

const mostBytes = 2 ** 31;

/** The tensors of `file` that belong to `names`; others are ignored. Errors: `UserError` for a damaged or unfitting file. */
export function readGivenTensors(file: string, names: readonly string[]): ReadonlyMap<string, GivenTensor> {
  const fd = openForReading(file);
  try {
    const { tensors } = readSafetensors(fd, file), given = new Map<string, GivenTensor>();
    let total = 0;
    for (const name of names) {
      const tensor = tensors.get(name) ?? tensors.get(`in.${name}`);
      if (!tensor) continue;
      total += tensor.length;
      if (total > mostBytes) throw new UserError(`The inputs in ${file} are larger than 2 GB.`, 'Use a shorter prompt or a smaller batch.');
      const bytes = new Uint8Array(tensor.length);
      if (tensor.length && readSync(fd, bytes, 0, tensor.length, tensor.offset) !== tensor.length) throw new UserError(`${file} ends too early.`, 'Make it again.');
      given.set(name, { shape: tensor.shape, values: numbers(tensor.dtype, bytes, name, file) });
    }
    if (!given.size) throw new UserError(`${file} holds none of the model's inputs (${names.slice(0, 8).join(', ')}).`, 'Name its tensors as the inputs of the graph, with or without the prefix "in.".');
    return given;
  } finally { closeSync(fd); }
}

function numbers(dtype: string, bytes: Uint8Array, name: string, file: string): ArrayLike<number> {
  const { buffer } = bytes;
  switch (dtype) {
    case 'F32': return new Float32Array(buffer);
    case 'F64': return new Float64Array(buffer);
    case 'F16': return fromHalf(new Uint16Array(buffer));
    case 'BF16': return Float32Array.from(new Uint16Array(buffer), bits => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]);
    case 'I64': return Float64Array.from(new BigInt64Array(buffer), Number);
    case 'I32': return new Int32Array(buffer);
    case 'I16': return new Int16Array(buffer);
    case 'I8': return new Int8Array(buffer);
    case 'U8': case 'BOOL': return bytes;
    case 'U16': return new Uint16Array(buffer);
    case 'U32': return new Uint32Array(buffer);
    default: throw new UserError(`The tensor "${name}" of ${file} has the type ${dtype}, which cannot be fed.`, 'Store it as float32 or int64.');
  }
}
