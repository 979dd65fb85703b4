/** Breaks files that are lists of chunks (PNG, JPEG, WAV) so that they still are: checksums and lengths fit, what the chunks say does not. */
import { crc32, deflateSync } from 'node:zlib';
import { below, breakBytes, byteMutations, pick, type Dice } from './mutate.ts';

interface Chunk { readonly kind: string; body: Buffer }
interface Format { read(bytes: Buffer): { readonly head: Buffer; readonly chunks: Chunk[]; readonly tail: Buffer }; write(head: Buffer, chunks: readonly Chunk[], tail: Buffer): Buffer; readonly breaks: Readonly<Record<string, (chunks: Chunk[], dice: Dice) => void>> }

const numbers = [0, 1, 2, 7, 255, 256, 4_096, 7_000, 16_385, 65_535, 0x7fffffff, 0x80000000, 0xffffffff];

const common: Format['breaks'] = {
  'a chunk is gone': (chunks, dice) => { chunks.splice(below(dice, chunks.length), 1); },
  'a chunk twice': (chunks, dice) => { const one = pick(dice, chunks); chunks.splice(below(dice, chunks.length + 1), 0, { ...one }); },
  'chunks in another order': (chunks, dice) => { const a = below(dice, chunks.length), b = below(dice, chunks.length); [chunks[a], chunks[b]] = [chunks[b], chunks[a]]; },
  'a chunk is empty': (chunks, dice) => { pick(dice, chunks).body = Buffer.alloc(0); },
  'the body of another': (chunks, dice) => { pick(dice, chunks).body = pick(dice, chunks).body; },
  'bytes of a chunk': (chunks, dice) => { const one = pick(dice, chunks); if (one.body.length) one.body = byteMutations[pick(dice, Object.keys(byteMutations))](one.body, dice); },
  'a number of a chunk': (chunks, dice) => {
    const one = pick(dice, chunks.filter(({ body }) => body.length >= 4 && body.length < 200));
    if (!one) return;
    const body = Buffer.from(one.body), value = pick(dice, numbers), at = below(dice, body.length - 3), little = dice() < 0.5;
    if (dice() < 0.5) body[at] = value; else if (dice() < 0.5) { if (little) body.writeUInt16LE(value & 0xffff, at); else body.writeUInt16BE(value & 0xffff, at); } else if (little) body.writeUInt32LE(value, at); else body.writeUInt32BE(value, at);
    one.body = body;
  },
  'a chunk that is long': (chunks, dice) => { const one = pick(dice, chunks); one.body = Buffer.concat([one.body, Buffer.alloc(60_000, below(dice, 256))]); },
};

/** Sides that a header may say; a picture of 7,000 × 7,000 is just below what is decoded. */
const sides = [0, 1, 3, 16, 255, 4_096, 7_000, 50_000, 65_535];

const png: Format = {
  read(bytes) {
    const chunks: Chunk[] = [];
    for (let at = 8; at + 12 <= bytes.length;) { const length = bytes.readUInt32BE(at); chunks.push({ kind: bytes.toString('latin1', at + 4, at + 8), body: bytes.subarray(at + 8, at + 8 + length) }); at += 12 + length; }
    return { head: bytes.subarray(0, 8), chunks, tail: Buffer.alloc(0) };
  },
  write: (head, chunks) => Buffer.concat([head, ...chunks.map(({ kind, body }) => {
    const named = Buffer.concat([Buffer.from(kind, 'latin1'), body]), length = Buffer.alloc(4), sum = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  })]),
  breaks: {
    ...common,
    'another size': (chunks, dice) => { sizeAt(chunks.find(({ kind }) => kind === 'IHDR'), 0, 4, dice); },
    'another depth, color or interlace': (chunks, dice) => {
      const header = chunks.find(({ kind }) => kind === 'IHDR');
      if (!header || header.body.length < 13) return;
      const body = Buffer.from(header.body);
      body[8] = pick(dice, [1, 2, 4, 8, 16, 3, 255]); body[9] = pick(dice, [0, 2, 3, 4, 6, 1, 255]); body[12] = pick(dice, [0, 1, 2]);
      header.body = body;
    },
    'pixels that are others': (chunks, dice) => { const data = chunks.find(({ kind }) => kind === 'IDAT'); if (data) data.body = deflateSync(Buffer.from(Array.from({ length: below(dice, 4_000) }, () => below(dice, 256)))); },
    'pixels without an end': (chunks, dice) => { const data = chunks.find(({ kind }) => kind === 'IDAT'); if (data) data.body = deflateSync(Buffer.alloc(pick(dice, [2 ** 20, 2 ** 24, 2 ** 26]))); },
    'a palette of another length': (chunks, dice) => { chunks.splice(1, 0, { kind: 'PLTE', body: Buffer.alloc(below(dice, 1_000), 200) }); },
    'turned by EXIF': (chunks, dice) => { chunks.splice(1, 0, { kind: 'eXIf', body: exif(dice) }); },
  },
};

/** Segments up to the last scan's header; what follows it are coded pixels (and further scans of a progressive file), which belong to their header. */
const jpeg: Format = {
  read(bytes) {
    const chunks: Chunk[] = [];
    let at = 2;
    while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xd9) {
      let end = at + 2 + bytes.readUInt16BE(at + 2);
      if (bytes[at + 1] === 0xda) while (end < bytes.length && !(bytes[end] === 0xff && bytes[end + 1] !== 0 && (bytes[end + 1] & 0xf8) !== 0xd0)) end++;
      chunks.push({ kind: String.fromCharCode(bytes[at + 1]), body: bytes.subarray(at + 4, end) });
      at = end;
    }
    return { head: bytes.subarray(0, 2), chunks, tail: bytes.subarray(at) };
  },
  // The length of a scan is that of its header: 6 bytes and 2 a component.
  write: (head, chunks, tail) => Buffer.concat([head, ...chunks.flatMap(({ kind, body }) => { const start = Buffer.from([0xff, kind.charCodeAt(0), 0, 0]); start.writeUInt16BE(kind === '\xda' ? 6 + 2 * ((body[0] ?? 0) & 3) : Math.min(65_535, body.length + 2), 2); return [start, body]; }), tail]),
  breaks: {
    ...common,
    'another size': (chunks, dice) => { sizeAt(chunks.find(({ kind }) => /[\xc0-\xc2]/.test(kind)), 1, 2, dice); },
    'other samplings': (chunks, dice) => {
      const frame = chunks.find(({ kind }) => /[\xc0-\xc2]/.test(kind));
      if (!frame || frame.body.length < 9) return;
      const body = Buffer.from(frame.body);
      body[7 + 3 * below(dice, Math.floor((body.length - 6) / 3))] = pick(dice, [0x11, 0x22, 0x44, 0x41, 0x14, 0x31, 0x00, 0xff]);
      frame.body = body;
    },
    'progressive or not': (chunks, dice) => { const frame = chunks.findIndex(({ kind }) => /[\xc0-\xc2]/.test(kind)); if (frame >= 0) chunks[frame] = { kind: pick(dice, ['\xc0', '\xc1', '\xc2', '\xc3', '\xc9', '\xcf']), body: chunks[frame].body }; },
    'scans without an end': (chunks, dice) => { const scan = chunks.find(({ kind }) => kind === '\xda'); if (scan) chunks.push(...Array.from({ length: pick(dice, [10, 300, 3_000]) }, () => ({ ...scan, body: scan.body.subarray(0, 40) }))); },
    'a restart interval': (chunks, dice) => { const body = Buffer.alloc(2); body.writeUInt16BE(pick(dice, [0, 1, 2, 999, 65_535])); chunks.splice(below(dice, chunks.length), 0, { kind: '\xdd', body }); },
    'turned by EXIF': (chunks, dice) => { chunks.unshift({ kind: '\xe1', body: Buffer.concat([Buffer.from('Exif\0\0'), exif(dice)]) }); },
  },
};

const wav: Format = {
  read(bytes) {
    const chunks: Chunk[] = [];
    for (let at = 12; at + 8 <= bytes.length;) { const length = bytes.readUInt32LE(at + 4); chunks.push({ kind: bytes.toString('latin1', at, at + 4), body: bytes.subarray(at + 8, at + 8 + length) }); at += 8 + length + length % 2; }
    return { head: bytes.subarray(0, 12), chunks, tail: Buffer.alloc(0) };
  },
  write: (head, chunks) => Buffer.concat([head, ...chunks.map(({ kind, body }) => { const start = Buffer.from(`${kind}\0\0\0\0`, 'latin1'); start.writeUInt32LE(body.length, 4); return Buffer.concat([start, body, Buffer.alloc(body.length % 2)]); })]),
  breaks: {
    ...common,
    'another format': (chunks, dice) => {
      const format = chunks.find(({ kind }) => kind === 'fmt ');
      if (!format || format.body.length < 16) return;
      const body = Buffer.from(format.body), channels = pick(dice, [1, 2, 3, 64, 65, 0]), bits = pick(dice, [8, 16, 24, 32, 64, 12, 0]);
      body.writeUInt16LE(pick(dice, [1, 3, 6, 85, 0xfffe]), 0); body.writeUInt16LE(channels, 2); body.writeUInt16LE(dice() < 0.8 ? channels * bits / 8 : below(dice, 65_536), 12); body.writeUInt16LE(bits, 14);
      format.body = body;
    },
    'another rate': (chunks, dice) => { const format = chunks.find(({ kind }) => kind === 'fmt '); if (format && format.body.length >= 16) { const body = Buffer.from(format.body); body.writeUInt32LE(pick(dice, [0, 1, 99, 101, 8_000, 44_100, 48_000, 999_983, 1_000_000, 0xffffffff]), 4); format.body = body; } },
    'many small chunks': (chunks, dice) => { chunks.unshift(...Array.from({ length: pick(dice, [100, 20_000]) }, () => ({ kind: 'LIST', body: Buffer.alloc(0) }))); },
  },
};

/** Width and height of a header, `bytes` each. */
function sizeAt(chunk: Chunk | undefined, at: number, bytes: 2 | 4, dice: Dice): void {
  if (!chunk || chunk.body.length < at + 2 * bytes) return;
  const body = Buffer.from(chunk.body);
  for (const place of [at, at + bytes]) if (dice() < 0.7) body.writeUIntBE(pick(dice, sides), place, bytes);
  chunk.body = body;
}

/** A directory of one entry, the orientation, or one that says that it has more. */
function exif(dice: Dice): Buffer {
  const body = Buffer.from('49492a0008000000010012010300010000000600000000000000', 'hex');
  body[18] = below(dice, 10);
  if (dice() < 0.3) body.writeUInt16LE(pick(dice, [0, 300, 65_535]), 8);
  if (dice() < 0.3) body.writeUInt32LE(pick(dice, numbers), 4);
  return body;
}

/** One or two breaks by the grammar of the file, or its bytes themselves. */
export function breakChunks(bytes: Buffer, dice: Dice): { readonly how: string; readonly bytes: Buffer } {
  if (dice() < 0.25) return breakBytes(bytes, dice);
  const format = bytes[0] === 0x89 ? png : bytes[0] === 0xff ? jpeg : wav, { head, chunks, tail } = format.read(bytes), said: string[] = [];
  for (let n = 1 + below(dice, 2); n > 0 && chunks.length; n--) {
    const how = pick(dice, Object.keys(format.breaks));
    format.breaks[how](chunks, dice);
    said.push(how);
  }
  return { how: said.join(', '), bytes: format.write(head, chunks, tail) };
}
