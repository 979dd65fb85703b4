/** The safetensors container: header first, tensors behind it with no holes; every length is checked before it is believed. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../contract/errors.ts';
import type { Dtype, TensorEntry } from '../../contract/trace.ts';
import type { StoredTensor } from './capture.ts';

const itemBytes: Readonly<Record<string, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1, U16: 2, U32: 4, U64: 8 };
/** The format's own limit. */
const maxHeaderBytes = 100_000_000;
const maxTensors = 200_000;
const maxRank = 8;

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Length of the whole file. */
  readonly bytes: number;
}

export function byteLength(dtype: string, shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, itemBytes[dtype] ?? NaN);
}

/** Reads the header of an open file. `what` names the file in sentences. Throws UserError when it is no safetensors file or its header lies. */
export function readSafetensors(fd: number, what: string): Safetensors {
  const bytes = fstatSync(fd).size;
  const lies = (why: string): UserError => new UserError(`${what} is damaged: ${why}.`, 'Make it again.');
  const start = Buffer.alloc(8);
  if (bytes < 10 || readSync(fd, start, 0, 8, 0) !== 8) throw new UserError(`${what} is not a safetensors file: it is too short.`, 'Choose a file that AttnScope or safetensors wrote.');
  const headerBytes = Number(start.readBigUInt64LE());
  if (headerBytes > maxHeaderBytes || headerBytes > bytes - 8) throw new UserError(`${what} is not a safetensors file: its header would be ${headerBytes} bytes long.`, 'Choose a file that AttnScope or safetensors wrote.');
  const text = Buffer.alloc(headerBytes);
  if (readSync(fd, text, 0, headerBytes, 8) !== headerBytes) throw lies('its header ends too early');
  if (text[0] !== 0x7b) throw new UserError(`${what} is not a safetensors file: no header.`, 'Choose a file that AttnScope or safetensors wrote.');
  let header: Record<string, unknown>;
  try { header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)) as Record<string, unknown>; } catch { throw lies('its header is not JSON'); }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw lies('its header is not an object');
  const names = Object.keys(header);
  if (names.length > maxTensors) throw lies(`it claims ${names.length} tensors`);
  const base = 8 + headerBytes;
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const name of names) {
    if (name === '__metadata__') { metadata = strings(header[name], lies); continue; }
    const entry = header[name] as Partial<TensorEntry> | null;
    const { dtype, shape, data_offsets: offsets } = entry ?? {};
    if (typeof dtype !== 'string' || !Object.hasOwn(itemBytes, dtype)) throw lies(`tensor ${clip(name)} has an unknown type`);
    if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(count)) throw lies(`tensor ${clip(name)} has no proper shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(count)) throw lies(`tensor ${clip(name)} has no proper place`);
    const length = byteLength(dtype, shape);
    if (offsets[1] - offsets[0] !== length) throw lies(`tensor ${clip(name)} of shape [${shape.join(', ')}] needs ${length} bytes but has ${offsets[1] - offsets[0]}`);
    if (base + offsets[1] > bytes) throw lies(`tensor ${clip(name)} ends behind the end of the file`);
    tensors.set(name, { dtype: dtype as Dtype, shape, offset: base + offsets[0], length });
  }
  let end = base;
  for (const [name, tensor] of [...tensors].sort((a, b) => a[1].offset - b[1].offset || a[1].length - b[1].length)) {
    if (tensor.offset !== end) throw lies(`there is a hole or an overlap before tensor ${clip(name)}`);
    end += tensor.length;
  }
  if (end !== bytes) throw lies(`${bytes - end} bytes belong to no tensor`);
  return { tensors, metadata, bytes };
}

/**
 * The header of a file whose tensors lie at these offsets: exactly `space` bytes, padded with blanks,
 * or as short as it can be (a multiple of 8) without `space`. Undefined when it does not fit.
 */
export function encodeHeader(tensors: Readonly<Record<string, { readonly dtype: Dtype; readonly shape: readonly number[]; readonly offset: number; readonly length: number }>>, metadata: Readonly<Record<string, string>>, base: number, space?: number): Uint8Array | undefined {
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, tensor] of Object.entries(tensors)) header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [tensor.offset - base, tensor.offset - base + tensor.length] };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const total = space ?? 8 + Math.ceil(text.byteLength / 8) * 8;
  if (text.byteLength + 8 > total || total - 8 > maxHeaderBytes) return undefined;
  const out = new Uint8Array(total).fill(0x20);
  new DataView(out.buffer).setBigUint64(0, BigInt(total - 8), true);
  out.set(text, 8);
  return out;
}

/** Opens a file for reading; UserError when it cannot be. */
export function openForReading(file: string): number {
  try {
    const fd = openSync(file, 'r');
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new UserError(`${file} does not exist.`, 'Choose another file.');
    throw new UserError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}).`, 'Choose another file.');
  }
  throw new UserError(`${file} is not a file.`, 'Choose a file.');
}

function strings(value: unknown, lies: (why: string) => UserError): Record<string, string> {
  if (typeof value !== 'object' || value === null || !Object.values(value).every(text => typeof text === 'string')) throw lies('its metadata are not strings');
  return value as Record<string, string>;
}
const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const clip = (name: string): string => JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
