/** WAV files in every coding, and what damaged and hostile ones are told. */
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { wavOf } from '../../../extension/engine/audio/wav.ts';

interface Header { readonly code?: number; readonly bits?: number; readonly channels?: number; readonly rate?: number; readonly frameBytes?: number; readonly said?: number; readonly extensible?: boolean; readonly before?: Buffer; readonly id?: string }
function wav(data: Buffer, { code = 1, bits = 16, channels = 1, rate = 8000, frameBytes = channels * bits / 8, said = data.length, extensible = false, before = Buffer.alloc(0), id = 'RIFF' }: Header = {}): Uint8Array {
  const format = Buffer.alloc(extensible ? 40 : 16), chunk = (name: string, body: Buffer, length = body.length): Buffer => { const head = Buffer.from(`${name}\0\0\0\0`, 'latin1'); head.writeUInt32LE(length, 4); return Buffer.concat([head, body]); };
  format.writeUInt16LE(extensible ? 0xfffe : code, 0); format.writeUInt16LE(channels, 2); format.writeUInt32LE(rate, 4); format.writeUInt32LE(rate * frameBytes, 8); format.writeUInt16LE(frameBytes, 12); format.writeUInt16LE(bits, 14);
  if (extensible) format.writeUInt16LE(code, 24);
  return Buffer.concat([Buffer.from(`${id}\0\0\0\0WAVE`, 'latin1'), before, chunk('fmt ', format), chunk('data', data, said)]);
}
const bytes = (count: number, write: (buffer: Buffer) => void): Buffer => { const buffer = Buffer.alloc(count); write(buffer); return buffer; };
const read = (file: Uint8Array, seconds = 30): number[] => [...wavOf(file, 'a.wav', seconds).samples];
function refused(file: Uint8Array): string {
  try { wavOf(file, 'a.wav', 30); } catch (error) { expect(error).toBeInstanceOf(UserError); return (error as UserError).message; }
  return 'not refused';
}

describe('a WAV file', () => {
  it.each([
    ['PCM 8', wav(Buffer.from([0, 128, 192]), { bits: 8 })], ['PCM 16', wav(bytes(6, b => { b.writeInt16LE(-32768, 0); b.writeInt16LE(16384, 4); }))],
    ['PCM 24', wav(bytes(9, b => { b.writeIntLE(-(2 ** 23), 0, 3); b.writeIntLE(2 ** 22, 6, 3); }), { bits: 24 })], ['PCM 32', wav(bytes(12, b => { b.writeInt32LE(-(2 ** 31), 0); b.writeInt32LE(2 ** 30, 8); }), { bits: 32 })],
    ['float32', wav(bytes(12, b => { b.writeFloatLE(-1, 0); b.writeFloatLE(0.5, 8); }), { code: 3, bits: 32 })], ['float64', wav(bytes(24, b => { b.writeDoubleLE(-1, 0); b.writeDoubleLE(0.5, 16); }), { code: 3, bits: 64 })],
    ['extensible', wav(bytes(6, b => { b.writeInt16LE(-32768, 0); b.writeInt16LE(16384, 4); }), { extensible: true })],
    ['behind an odd chunk', wav(bytes(6, b => { b.writeInt16LE(-32768, 0); b.writeInt16LE(16384, 4); }), { before: Buffer.from('LIST\x03\0\0\0abc\0', 'latin1') })],
  ])('of %s is read', (_, file) => expect(read(file)).toEqual([-1, 0, 0.5]));
  it('with several channels is their mean', () => expect(read(wav(bytes(8, b => { b.writeInt16LE(16384, 0); b.writeInt16LE(-16384, 2); b.writeInt16LE(16384, 4); }), { channels: 2 }))).toEqual([0, 0.25]));
  it('that a recorder did not finish is read to its end', () => expect(read(wav(Buffer.alloc(8), { said: 0xffffffff }))).toHaveLength(4));
  it('is read no further than it is needed, and says its length', () => expect(wavOf(wav(Buffer.alloc(32_000)), 'a.wav', 0.5)).toMatchObject({ seconds: 2, rate: 8000, samples: { length: 4000 } }));
  it.each([
    ['text', Buffer.from('no sound at all, only text'), 'a.wav is no WAV file.'], ['nothing', Buffer.alloc(0), 'a.wav is no WAV file.'], ['no chunks', Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), 'a.wav holds no samples.'],
    ['MP3 inside', wav(Buffer.alloc(8), { code: 85 }), 'a.wav is coded in a way that is not read (format 85, 16 bits).'], ['no channels', wav(Buffer.alloc(8), { channels: 0 }), 'a.wav says that it has 0 channels.'], ['65,535 channels', wav(Buffer.alloc(8), { channels: 65_535, frameBytes: 2 }), 'a.wav says that it has 65535 channels.'],
    ['no rate', wav(Buffer.alloc(8), { rate: 0 }), 'a.wav says that it has 0 samples a second.'], ['a frame that does not fit', wav(Buffer.alloc(8), { frameBytes: 3 }), 'a.wav is damaged: 1 channels of 16 bits do not take 3 bytes.'],
    ['no samples', wav(Buffer.alloc(1)), 'a.wav holds no samples.'], ['not a number', wav(bytes(4, b => b.writeFloatLE(NaN, 0)), { code: 3, bits: 32 }), 'a.wav is damaged: sample 0 is no number.'],
  ])('of %s is refused', (_, file, sentence) => expect(refused(file)).toBe(sentence));
  it('that is mutated is read or refused with a sentence, a thousand times', () => {
    const good = Buffer.from(wav(bytes(400, b => { for (let i = 0; i < 200; i++) b.writeInt16LE(i * 100, 2 * i); })));
    let seed = 7;
    const random = (n: number): number => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed % n; };
    for (let i = 0; i < 1000; i++) {
      const bad = Buffer.from(good.subarray(0, 12 + random(good.length - 12)));
      for (let n = 0; n < 3; n++) bad[random(Math.min(bad.length, 48))] ^= 1 << random(8);
      try { expect(wavOf(bad, 'a.wav', 30).samples.every(Number.isFinite)).toBe(true); } catch (error) { expect(error).toBeInstanceOf(UserError); }
    }
  });
});
