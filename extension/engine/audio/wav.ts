/** Reads WAV files (RIFF, also RF64): PCM of 8, 16, 24 and 32 bits, float32 and float64, any number of channels, mixed to one. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../../contract/errors.ts';

export interface Sound {
  /** Mean of the channels, −1 to 1. */
  readonly samples: Float32Array;
  /** Hz. */
  readonly rate: number;
  readonly channels: number;
  /** Length of the whole file, also where only its begin was read. */
  readonly seconds: number;
}

const mostChannels = 64, mostChunks = 10_000, slowest = 100, fastest = 1_000_000, blockBytes = 2 ** 20;
const pcm = 1, float = 3, extensible = 0xfffe;

/**
 * The first `mostSeconds` of `file`; no more is read. Errors: `UserError` for files that are missing, no WAV, damaged, empty, or coded
 * in a way that is not read (ADPCM, MP3, µ-law).
 */
export function readWav(file: string, mostSeconds: number): Sound {
  let fd: number;
  try { fd = openSync(file, 'r'); } catch (error) { throw new UserError(`The audio file ${file} cannot be opened (${(error as NodeJS.ErrnoException).code}).`, 'Check its path.'); }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new UserError(`${file} is no file.`, 'Give a WAV file.');
    return parse({ file, size: stats.size, read: (at, length) => readAt(fd, at, length) }, mostSeconds);
  } finally { closeSync(fd); }
}

/** For tests and for bytes that are at hand already. */
export function wavOf(bytes: Uint8Array, file: string, mostSeconds: number): Sound {
  return parse({ file, size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) }, mostSeconds);
}

interface Source { readonly file: string; readonly size: number; /** May give fewer bytes at the end. */ read(at: number, length: number): Uint8Array }
interface Format { readonly code: number; readonly channels: number; readonly rate: number; readonly frameBytes: number; readonly bits: number }

function parse(source: Source, mostSeconds: number): Sound {
  const { file, size, read } = source, head = read(0, 12), kind = text(head, 0);
  if (head.length < 12 || (kind !== 'RIFF' && kind !== 'RF64') || text(head, 8) !== 'WAVE') throw new UserError(`${file} is no WAV file.`, 'Convert it, as with "ffmpeg -i SOUND -ac 1 -ar 16000 SOUND.wav".');
  let format: Format | undefined, at = 12;
  for (let chunks = 0; at + 8 <= size && chunks < mostChunks; chunks++) {
    const header = read(at, 8);
    if (header.length < 8) break;
    const name = text(header, 0), length = view(header).getUint32(4, true);
    if (name === 'fmt ') format = formatOf(file, read(at + 8, Math.min(length, 40)), length);
    if (name === 'data') {
      if (!format) throw new UserError(`${file} is damaged: its samples come before their format.`, 'Make it again.');
      // Recorders that were cut off leave 0 or the largest number here: what is there counts.
      const there = size - at - 8;
      return soundOf(source, format, at + 8, length === 0 || length === 0xffffffff ? there : Math.min(length, there), mostSeconds);
    }
    at += 8 + length + (length % 2);
  }
  throw new UserError(`${file} holds no samples.`, 'Make it again.');
}

function formatOf(file: string, bytes: Uint8Array, length: number): Format {
  if (length < 16 || bytes.length < 16) throw new UserError(`${file} is damaged: its format is cut off.`, 'Make it again.');
  const fields = view(bytes), channels = fields.getUint16(2, true), rate = fields.getUint32(4, true), frameBytes = fields.getUint16(12, true), bits = fields.getUint16(14, true);
  const code = fields.getUint16(0, true) === extensible && bytes.length >= 26 ? fields.getUint16(24, true) : fields.getUint16(0, true);
  if (channels < 1 || channels > mostChannels) throw new UserError(`${file} says that it has ${channels} channels.`, `Use a file with 1 to ${mostChannels}.`);
  if (rate < slowest || rate > fastest) throw new UserError(`${file} says that it has ${rate} samples a second.`, 'Make it again.');
  const known = code === pcm ? [8, 16, 24, 32].includes(bits) : code === float ? bits === 32 || bits === 64 : false;
  if (!known) throw new UserError(`${file} is coded in a way that is not read (format ${code}, ${bits} bits).`, 'Convert it to PCM, as with "ffmpeg -i SOUND -c:a pcm_s16le SOUND.wav".');
  if (frameBytes !== channels * bits / 8) throw new UserError(`${file} is damaged: ${channels} channels of ${bits} bits do not take ${frameBytes} bytes.`, 'Make it again.');
  return { code, channels, rate, frameBytes, bits };
}

function soundOf({ file, read }: Source, { code, channels, rate, frameBytes, bits }: Format, from: number, length: number, mostSeconds: number): Sound {
  const all = Math.floor(length / frameBytes), count = Math.min(all, Math.ceil(mostSeconds * rate)), samples = new Float32Array(count), width = bits / 8;
  if (!count) throw new UserError(`${file} holds no samples.`, 'Make it again.');
  const sample = sampleReader(code, bits), step = Math.max(1, Math.floor(blockBytes / frameBytes));
  for (let first = 0; first < count; first += step) {
    const frames = Math.min(step, count - first), bytes = read(from + first * frameBytes, frames * frameBytes), fields = view(bytes);
    if (bytes.length < frames * frameBytes) throw new UserError(`${file} ends too early.`, 'Copy it again.');
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += sample(fields, i * frameBytes + c * width);
      const mean = sum / channels;
      if (!Number.isFinite(mean)) throw new UserError(`${file} is damaged: sample ${first + i} is no number.`, 'Make it again.');
      samples[first + i] = mean;
    }
  }
  return { samples, rate, channels, seconds: all / rate };
}

function sampleReader(code: number, bits: number): (fields: DataView, at: number) => number {
  if (code === float) return bits === 32 ? (fields, at) => fields.getFloat32(at, true) : (fields, at) => fields.getFloat64(at, true);
  switch (bits) {
    case 8: return (fields, at) => (fields.getUint8(at) - 128) / 128;
    case 16: return (fields, at) => fields.getInt16(at, true) / 2 ** 15;
    case 24: return (fields, at) => (fields.getInt8(at + 2) * 65536 + fields.getUint16(at, true)) / 2 ** 23;
    default: return (fields, at) => fields.getInt32(at, true) / 2 ** 31;
  }
}

function readAt(fd: number, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const read = readSync(fd, bytes, done, length - done, at + done);
    if (!read) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

function view(bytes: Uint8Array): DataView { return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength); }
function text(bytes: Uint8Array, at: number): string { return String.fromCharCode(...bytes.subarray(at, at + 4)); }
