/** The trace file's container: round trips, and headers that lie. */
import { closeSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { PartWriter, headerSpaceFor, writeFailure } from '../../../extension/engine/trace/part-writer.ts';
import { encodeHeader, openForReading, readSafetensors } from '../../../extension/engine/trace/safetensors.ts';
import { TensorStore } from '../../../extension/engine/trace/tensor-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-trace-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let serial = 0;
const fresh = (): string => join(folder, `file-${serial++}`);

/** A file with this header text, and this many bytes behind it. */
function file(header: string, bytes: number, claimed = header.length): string {
  const path = fresh(), start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(claimed));
  writeFileSync(path, Buffer.concat([start, Buffer.from(header), Buffer.alloc(bytes)]));
  return path;
}
function sentence(path: string): string {
  try { openTrace(path).close(); } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message.replace(path, 'FILE');
  }
  return 'opened';
}

describe('writing and reading', () => {
  it('gives back what was appended, reserved and replaced, by offset', () => {
    const path = fresh(), space = headerSpaceFor({ tensors: 4, heads: 2, batch: 1, tokens: 3, textLength: 5, sites: 1 }), writer = PartWriter.create(path, space);
    writer.append('a', 'F32', [2, 3], [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)]);
    writer.append('h', 'F16', [3], new Uint16Array([0x3c00, 0xc000, 0x7bff]));
    writer.reserve('i', 'I32', [3]);
    writer.write('i', 4, Int32Array.of(7, -1));
    const header = encodeHeader(writer.tensors, { note: 'é' }, space, space)!;
    writer.writeHeader(header);
    writer.close();
    const fd = openForReading(path), read = readSafetensors(fd, path), store = new TensorStore(path, fd, read.tensors);
    expect(read.metadata).toEqual({ note: 'é' });
    expect([...store.floats('a', 2, 3)]).toEqual([3, 4, 5]);
    expect([...store.floats('h')]).toEqual([1, -2, 65504]);
    expect([...store.ints('i')]).toEqual([0, 7, -1]);
    expect(() => store.floats('a', 5, 2)).toThrow('Elements 5 to 7 of a do not exist; it has 6.');
    truncateSync(path, space + 8);
    expect(() => store.floats('a')).toThrow(`${path} was cut off while it was open.`);
    store.close();
  });
  it('refuses tensors whose bytes are not their shape\'s', () => {
    const writer = PartWriter.create(fresh(), 0);
    expect(() => writer.append('a', 'F32', [2, 2], new Float32Array(3))).toThrow('Tensor a must have 16 bytes; found 12.');
    writer.append('a', 'F32', [1], new Float32Array(1));
    expect(() => writer.append('a', 'F32', [1], new Float32Array(1))).toThrow('already');
    writer.close();
  });
  it('says when a header does not fit', () => {
    expect(encodeHeader({}, { text: 'x'.repeat(100) }, 0, 64)).toBeUndefined();
    expect(encodeHeader({}, { text: 'x' }, 0, 64)?.byteLength).toBe(64);
  });
  it('speaks of disks and folders as people do', () => {
    const of = (code: string): string => (writeFailure('x.attntrace', Object.assign(new Error(code), { code })) as UserError).sentence;
    expect(of('ENOSPC')).toBe('The disk is full: x.attntrace could not be written. Free some space, or write the trace to another disk.');
    expect(of('EACCES')).toBe('x.attntrace may not be written (EACCES). Choose a folder that you may write to.');
    expect(() => PartWriter.create(join(folder, 'none', 'x'))).toThrow('its folder does not exist');
  });
});

describe('what is no trace', () => {
  const tensor = (dtype: string, shape: readonly number[], offsets: readonly number[]): string => JSON.stringify({ t: { dtype, shape, data_offsets: offsets } });
  it.each([
    ['an empty file', () => { const path = fresh(); writeFileSync(path, ''); return path; }, 'FILE is not a safetensors file: it is too short.'],
    ['text', () => { const path = fresh(); writeFileSync(path, 'hello, I am no trace, but long enough'); return path; }, /^FILE is not a safetensors file: its header would be \d+ bytes long\.$/],
    ['a header longer than the file', () => file('{}', 0, 2 ** 40), 'FILE is not a safetensors file: its header would be 1099511627776 bytes long.'],
    ['a header that is no JSON', () => file('{"a":', 0), 'FILE is damaged: its header is not JSON.'],
    ['a header that is a number', () => file('12', 0), 'FILE is not a safetensors file: no header.'],
    ['a shape that needs more than there is', () => file(tensor('F32', [1e6, 1e6], [0, 4]), 4), 'FILE is damaged: tensor "t" of shape [1000000, 1000000] needs 4000000000000 bytes but has 4.'],
    ['a tensor behind the end', () => file(tensor('F32', [2], [0, 8]), 4), 'FILE is damaged: tensor "t" ends behind the end of the file.'],
    ['a hole', () => file(tensor('F32', [1], [4, 8]), 8), 'FILE is damaged: there is a hole or an overlap before tensor "t".'],
    ['bytes that belong to nothing', () => file(tensor('F32', [1], [0, 4]), 9), 'FILE is damaged: 5 bytes belong to no tensor.'],
    ['a negative dimension', () => file(tensor('F32', [-1], [0, 4]), 4), 'FILE is damaged: tensor "t" has no proper shape.'],
    ['an unknown type', () => file(tensor('F5', [1], [0, 4]), 4), 'FILE is damaged: tensor "t" has an unknown type.'],
    ['safetensors of somebody else', () => file(tensor('F32', [1], [0, 4]), 4), 'FILE is a safetensors file, but not a trace.'],
    ['a manifest that is no JSON', () => file(JSON.stringify({ __metadata__: { attnscope: '{' } }), 0), 'The manifest of FILE is damaged: it is not JSON.'],
    ['a manifest without a version', () => file(JSON.stringify({ __metadata__: { attnscope: '{}' } }), 0), 'The manifest of FILE is damaged: it has no format version.'],
    ['a manifest of the future', () => file(JSON.stringify({ __metadata__: { attnscope: '{"formatVersion":2}' } }), 0), 'FILE has trace format version 2; this AttnScope reads version 1.'],
    ['a manifest with little in it', () => file(JSON.stringify({ __metadata__: { attnscope: '{"formatVersion":1,"model":7}' } }), 0), /^The manifest of FILE is damaged: model should be an object and is 7\./],
  ])('%s is refused with a sentence', (_, make, expected) => {
    const got = sentence(make());
    if (typeof expected === 'string') expect(got).toBe(expected); else expect(got).toMatch(expected);
  });
  it('a folder, and a file that is not there', () => {
    expect(sentence(folder)).toMatch(/is not a file\.$/);
    expect(sentence(join(folder, 'none'))).toMatch(/does not exist\.$/);
  });
  it('leaves no file open', () => {
    const path = file('{"a":', 0), before = readdirSync('/proc/self/fd').length;
    for (let n = 0; n < 50; n++) sentence(path);
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 10);
    closeSync(openForReading(path));
  });
});
