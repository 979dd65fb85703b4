/** Tensors of an open file, read by offset: nothing is loaded until it is asked for. */
import { close, closeSync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { UserError } from '../../contract/errors.ts';
import { fromHalf } from '../maths/half.ts';
import type { StoredTensor } from './capture.ts';

export class TensorStore {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  #fd: number;
  constructor(file: string, fd: number, tensors: ReadonlyMap<string, StoredTensor>) { this.file = file; this.#fd = fd; this.tensors = tensors; }

  has(name: string): boolean { return this.tensors.has(name); }

  info(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new UserError(`${this.file} has no tensor ${name}.`, 'Trace the model again.');
    return tensor;
  }

  /**
   * Elements [start, start + count) of a floating-point, boolean or integer tensor as float32; all of them by default. `into`, of that
   * length, is used where nothing has to be converted: memory that was used before costs less than new memory.
   */
  floats(name: string, start = 0, count?: number, into?: Float32Array<ArrayBuffer>): Float32Array {
    const tensor = this.info(name), bytes = this.raw(name, start, count, tensor.dtype === 'F32' ? into : undefined);
    switch (tensor.dtype) {
      case 'F32': return bytes.buffer === into?.buffer ? into : new Float32Array(bytes.buffer);
      case 'F16': return fromHalf(new Uint16Array(bytes.buffer));
      case 'F64': return Float32Array.from(new Float64Array(bytes.buffer));
      case 'I32': return Float32Array.from(new Int32Array(bytes.buffer));
      case 'I64': return Float32Array.from(new BigInt64Array(bytes.buffer), Number);
      default: return Float32Array.from(bytes);
    }
  }

  /** Elements of an I32 tensor. */
  ints(name: string, start = 0, count?: number): Int32Array {
    if (this.info(name).dtype !== 'I32') throw new UserError(`Tensor ${name} of ${this.file} must be of type I32; found ${this.info(name).dtype}.`, 'Trace the model again.');
    return new Int32Array(this.raw(name, start, count).buffer);
  }

  /** The bytes of elements [start, start + count), in a buffer of their own or in `into`. */
  raw(name: string, start = 0, count?: number, into?: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const tensor = this.info(name);
    const elements = tensor.shape.reduce((product, dim) => product * dim, 1), size = elements ? tensor.length / elements : 0;
    const wanted = count ?? elements - start;
    if (start < 0 || wanted < 0 || start + wanted > elements) throw new Error(`Elements ${start} to ${start + wanted} of ${name} do not exist; it has ${elements}.`);
    const out = into?.byteLength === wanted * size ? new Uint8Array(into.buffer, into.byteOffset, into.byteLength) : new Uint8Array(wanted * size);
    for (let done = 0; done < out.byteLength;) {
      let read: number;
      try { read = readSync(this.#fd, out, done, Math.min(out.byteLength - done, 2 ** 28), tensor.offset + start * size + done); } catch (error) {
        throw new UserError(`${this.file} can no longer be read (${(error as NodeJS.ErrnoException).code ?? String(error)}).`, 'Open it again.');
      }
      if (read === 0) throw new UserError(`${this.file} was cut off while it was open.`, 'Open it again, or trace the model again.');
      done += read;
    }
    return out;
  }

  /** Closes without keeping this thread busy. */
  async closeBehind(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) await promisify(close)(fd);
  }
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}
