/** Protobuf's wire format over a file that is read in windows: every length is checked against its parent before it is believed. */
import { closeSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../contract/errors.ts';
import type { Document, Field } from './model.ts';

const firstWindow = 8 << 10;
const largestWindow = 1 << 20;
/** What a graph may weigh without its tensors; protobuf itself ends at 2 GiB. */
const mostKept = 768 << 20;

/** Wire types. Groups (3, 4) are not used by ONNX and are refused. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A file that cannot be an ONNX model, or is a broken one. */
export function damaged(file: string, what: string): UserError {
  return new UserError(`${file} is damaged or cut off: ${what}.`, 'Copy, download or export it again.');
}

/**
 * A file read in windows, keeping what it read: jumping over a tensor's payload costs nothing.
 * `finish` after parsing: the file is closed, and all of it but the holes stays readable.
 */
export class FileBytes implements Document {
  readonly size: number;
  readonly file: string;
  readonly holes: (readonly [number, number])[] = [];
  bytesRead = 0;
  /** Where the last varint ended. */
  next = 0;
  private fd: number;
  private readonly segments: { readonly start: number; readonly bytes: Buffer }[] = [];
  private window: Buffer = Buffer.alloc(0);
  private windowStart = 0;
  private windowSize = firstWindow;

  /** `file` names it in sentences; `fd` is −1 where `bytes` are already all in memory. */
  constructor(file: string, size: number, fd: number) {
    this.file = file; this.size = size; this.fd = fd;
  }

  static open(path: string, file: string, size: number): FileBytes { return new FileBytes(file, size, openSync(path, 'r')); }

  static of(bytes: Uint8Array, file: string): FileBytes {
    const all = new FileBytes(file, bytes.length, -1);
    if (bytes.length) all.segments.push({ start: 0, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) });
    return all;
  }

  /** Reads what parsing passed over, except the holes, and lets go of the file. */
  finish(): void {
    this.holes.sort((a, b) => a[0] - b[0]);
    let at = 0;
    for (const [start, end] of [...this.holes, [this.size, this.size] as const]) {
      while (at < start) { this.seek(at); at = this.windowStart + this.window.length; }
      at = Math.max(at, end);
    }
    this.close();
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  /** Marks [start, end) as payload that nobody reads. */
  skip(start: number, end: number): void { this.holes.push([start, end]); }

  byte(at: number): number {
    const index = at - this.windowStart;
    if (index >= 0 && index < this.window.length) return this.window[index];
    this.seek(at);
    return this.window[at - this.windowStart];
  }

  bytes(start: number, end: number): Uint8Array {
    if (end <= start) return new Uint8Array(0);
    this.seek(start);
    if (end <= this.windowStart + this.window.length) return this.window.subarray(start - this.windowStart, end - this.windowStart);
    const whole = new Uint8Array(end - start);
    for (let at = start; at < end;) {
      this.seek(at);
      const part = this.window.subarray(at - this.windowStart, Math.min(this.window.length, end - this.windowStart));
      whole.set(part, at - start);
      at += part.length;
    }
    return whole;
  }

  text(start: number, end: number): string {
    if (end <= start) return '';
    this.seek(start);
    const { window, windowStart } = this;
    return end <= windowStart + window.length ? window.toString('utf8', start - windowStart, end - windowStart) : decoder.decode(this.bytes(start, end));
  }

  float(at: number): number {
    const b = this.bytes(at, at + 4);
    return new DataView(b.buffer, b.byteOffset, 4).getFloat32(0, true);
  }

  /** The signed 64-bit varint at `at`, as a double; `next` is set behind it. */
  varint(at: number, end: number): number {
    let low = 0, high = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw damaged(this.file, `a number at byte ${at} runs past the end of its message`);
      const byte = this.byte(at++), bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) { low |= bits << 28; high |= bits >>> 4; }
      else high |= bits << (7 * i - 32);
      if (byte < 0x80) { this.next = at; return high * 4294967296 + (low >>> 0); }
    }
    throw damaged(this.file, `a number at byte ${at - 10} has more than ten bytes`);
  }

  scan(start: number, end: number, visit: (field: Field) => void): void {
    for (let at = start; at < end;) {
      const field = this.field(at, end);
      visit(field);
      at = field.end;
    }
  }

  /** The varints of a repeated integer field, packed or not. */
  varints(field: Field, into: number[], most: number): void {
    if (field.wire === wire.varint) into.push(field.value);
    else if (field.wire === wire.bytes) {
      for (let at = field.at; at < field.end; at = this.next) {
        into.push(this.varint(at, field.end));
        if (into.length > most) break;
      }
    }
    if (into.length > most) throw damaged(this.file, `a list at byte ${field.start} has more than ${most} entries`);
  }

  private field(start: number, end: number): Field {
    const tag = this.varint(start, end), at = this.next;
    const number = Math.floor(tag / 8), type = tag - number * 8;
    if (tag < 8 || number > 536870911) throw damaged(this.file, `there is no field at byte ${start}`);
    switch (type) {
      case wire.varint: { const value = this.varint(at, end); return { number, wire: type, start, at, end: this.next, value }; }
      case wire.fixed64: case wire.fixed32: {
        const past = at + (type === wire.fixed64 ? 8 : 4);
        if (past > end) throw damaged(this.file, `a number at byte ${at} runs past the end of its message`);
        return { number, wire: type, start, at, end: past, value: 0 };
      }
      case wire.bytes: {
        const length = this.varint(at, end), from = this.next;
        if (!(length >= 0 && length <= end - from)) {
          throw damaged(this.file, `a field at byte ${start} claims ${length < 0 ? 'a negative number of' : length} bytes where ${end - from} are left`);
        }
        return { number, wire: type, start, at: from, end: from + length, value: 0 };
      }
      default: throw damaged(this.file, `the field at byte ${start} has a type that ONNX does not use`);
    }
  }

  /** Makes the window the segment that holds `at`, reading it if nothing did so far. */
  private seek(at: number): void {
    if (at >= this.windowStart && at < this.windowStart + this.window.length) return;
    let low = 0, high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.segments[middle].start <= at) low = middle + 1; else high = middle;
    }
    const before = this.segments[low - 1];
    if (before && at < before.start + before.bytes.length) { this.window = before.bytes; this.windowStart = before.start; return; }
    if (this.fd < 0 || at >= this.size) throw new Error(`byte ${at} of ${this.file} was not read`);
    const follows = before !== undefined && before.start + before.bytes.length === at;
    this.windowSize = follows ? Math.min(this.windowSize * 2, largestWindow) : firstWindow;
    const length = Math.min(this.windowSize, this.size - at, (this.segments[low]?.start ?? Infinity) - at);
    if (this.bytesRead + length > mostKept) throw new UserError(`The graph of ${this.file} is larger than ${mostKept >> 20} MB without its weights.`, 'Export the weights as initializers.');
    const bytes = Buffer.allocUnsafeSlow(length);
    const got = readSync(this.fd, bytes, 0, length, at);
    if (got < length) throw damaged(this.file, `it ended at byte ${at + got} while it was read`);
    this.bytesRead += got;
    this.segments.splice(low, 0, { start: at, bytes });
    this.window = bytes;
    this.windowStart = at;
  }
}

const decoder = new TextDecoder('utf-8');
