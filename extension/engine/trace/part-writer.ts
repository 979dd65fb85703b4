/** Writes the two data files of a capture: tensors one behind the other, header space kept free at the start. */
import { closeSync, existsSync, fsync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { UserError } from '../../contract/errors.ts';
import type { Dtype } from '../../contract/trace.ts';
import { byteLength } from './safetensors.ts';
import type { CaptureIndex, StoredTensor } from './capture.ts';

/** Where the parts of a capture lie: beside the trace that they become. */
export function captureFiles(out: string): { readonly part: string; readonly side: string; readonly index: string } {
  return { part: `${out}.part`, side: `${out}.side`, index: `${out}.capture` };
}

/** Removes whatever a capture of `out` left behind. */
export function discardCapture(out: string): void {
  for (const file of Object.values(captureFiles(out))) rmSync(file, { force: true });
}

/** Room for the header of a trace: manifest and tensor table, generously; too little only costs a copy of the file. */
export function headerSpaceFor(of: { readonly tensors: number; readonly heads: number; readonly batch: number; readonly tokens: number; readonly textLength: number; readonly sites: number }): number {
  const bytes = 65_536 + of.tensors * 200 + of.sites * 1_600 + of.heads * of.batch * 430 + of.batch * of.tokens * 60 + of.textLength * 6;
  return Math.ceil(bytes / 4_096) * 4_096;
}

export class PartWriter {
  readonly path: string;
  readonly tensors: Record<string, StoredTensor> = {};
  #fd: number;
  #end: number;
  private constructor(path: string, fd: number, headerSpace: number) { this.path = path; this.#fd = fd; this.#end = headerSpace; }

  /** `headerSpace` bytes are left free at the start (0 for the side file). Throws UserError when the folder cannot be written. */
  static create(path: string, headerSpace = 0): PartWriter {
    try { return new PartWriter(path, openSync(path, 'w'), headerSpace); } catch (error) { throw writeFailure(path, error); }
  }

  /** Goes on with a part that was closed: new tensors are placed behind `tensors`. */
  static resume(path: string, tensors: Readonly<Record<string, StoredTensor>>, headerSpace: number): PartWriter {
    let end = headerSpace;
    for (const tensor of Object.values(tensors)) end = Math.max(end, tensor.offset + tensor.length);
    try {
      const writer = new PartWriter(path, openSync(path, 'r+'), end);
      Object.assign(writer.tensors, tensors);
      return writer;
    } catch (error) { throw writeFailure(path, error); }
  }

  /** Appends a tensor; `bytes` are little-endian, row-major, in one piece or several. */
  append(name: string, dtype: Dtype, shape: readonly number[], bytes: ArrayBufferView | readonly ArrayBufferView[]): StoredTensor {
    const pieces: readonly ArrayBufferView[] = ArrayBuffer.isView(bytes) ? [bytes] : bytes;
    const length = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (length !== byteLength(dtype, shape)) throw new Error(`Tensor ${name} must have ${byteLength(dtype, shape)} bytes; found ${length}.`);
    if (Object.hasOwn(this.tensors, name)) throw new Error(`Tensor ${name} is already in ${this.path}.`);
    const stored = { dtype, shape: [...shape], offset: this.#end, length };
    for (const piece of pieces) this.#write(piece, this.#end, () => { this.#end += piece.byteLength; });
    this.tensors[name] = stored;
    return stored;
  }

  /** Makes place for a tensor that is written bit by bit with `write`. */
  reserve(name: string, dtype: Dtype, shape: readonly number[]): StoredTensor {
    if (Object.hasOwn(this.tensors, name)) throw new Error(`Tensor ${name} is already in ${this.path}.`);
    const stored = { dtype, shape: [...shape], offset: this.#end, length: byteLength(dtype, shape) };
    this.#end += stored.length;
    this.tensors[name] = stored;
    return stored;
  }

  /** Overwrites part of a tensor that is there already, from its byte `at`. */
  write(name: string, at: number, bytes: ArrayBufferView): void {
    const stored = this.tensors[name];
    if (!stored || at < 0 || at + bytes.byteLength > stored.length) throw new Error(`Tensor ${name} has no bytes ${at} to ${at + bytes.byteLength}.`);
    this.#write(bytes, stored.offset + at, () => undefined);
  }

  /** Writes the header into the space kept for it. */
  writeHeader(header: Uint8Array): void { this.#write(header, 0, () => undefined); }

  /** Flushes to the disk; may take seconds, during which this process does other things. */
  async sync(): Promise<void> { try { await promisify(fsync)(this.#fd); } catch (error) { throw writeFailure(this.path, error); } }
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #write(view: ArrayBufferView, position: number, then: () => void): void {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    try {
      for (let done = 0; done < bytes.byteLength;) done += writeSync(this.#fd, bytes, done, Math.min(bytes.byteLength - done, 2 ** 28), position + done);
    } catch (error) { throw writeFailure(this.path, error); }
    then();
  }
}

/** Writes the index beside the part file. */
export function writeIndex(index: CaptureIndex): void {
  const { index: file } = captureFiles(index.out);
  try { writeFileSync(file, JSON.stringify(index)); } catch (error) { throw writeFailure(file, error); }
}

/** Throws UserError when there is no capture to complete. */
export function readIndex(out: string): CaptureIndex {
  const { index: file } = captureFiles(out);
  if (!existsSync(file)) throw new UserError(`There is no finished capture for ${out}.`, 'Trace the model again.');
  return JSON.parse(readFileSync(file, 'utf8')) as CaptureIndex;
}

/** What a failed write means to a person. */
export function writeFailure(file: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  switch (code) {
    case 'ENOSPC': case 'EDQUOT': return new UserError(`The disk is full: ${file} could not be written.`, 'Free some space, or write the trace to another disk.');
    case 'EACCES': case 'EPERM': case 'EROFS': return new UserError(`${file} may not be written (${code}).`, 'Choose a folder that you may write to.');
    case 'ENOENT': case 'ENOTDIR': return new UserError(`${file} cannot be written: its folder does not exist.`, 'Choose an existing folder.');
    case 'EISDIR': return new UserError(`${file} is a folder.`, 'Choose a file name.');
    case 'EFBIG': return new UserError(`${file} would be larger than its file system allows.`, 'Write the trace to another disk, or use a shorter prompt.');
    default: return error instanceof Error ? error : new Error(String(error));
  }
}
