/** A head's thumbnail as a tiny PNG in a data URI: 16 colours, so that a hover holds dozens of them. */
import { crc32 as nodeCrc32, deflateSync } from 'node:zlib';
import { lutIndex, viridis } from '../contract/viridis.ts';

/** The last colour is for cells that no query sees. */
const colours = 15;
const masked = [128, 128, 136] as const;
const stride = 32;

/** `data`: rows of 32 values, of which the first `side` rows and columns hold something. Each picture has its own range, gamma 0.5. */
export function thumbnailUri(data: Float32Array, side: number, causal: boolean): string {
  let most = 0;
  for (const value of data) if (value > most && value < Infinity) most = value;
  const rowBytes = 1 + Math.ceil(side / 2), pixels = Buffer.alloc(side * rowBytes);
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const value = data[y * stride + x], colour = causal && x > y ? colours : most > 0 && value > 0 ? Math.min(colours - 1, Math.floor(Math.sqrt(value / most) * colours)) : 0;
    pixels[y * rowBytes + 1 + (x >> 1)] |= x & 1 ? colour : colour << 4;
  }
  const palette = Buffer.alloc((colours + 1) * 3);
  for (let c = 0; c < colours; c++) { const at = lutIndex(c / (colours - 1)) * 4; palette.set(viridis.subarray(at, at + 3), c * 3); }
  palette.set(masked, colours * 3);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([4, 3, 0, 0, 0], 8);
  const png = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk('IHDR', header), chunk('PLTE', palette), chunk('IDAT', deflateSync(pixels, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
  return `data:image/png;base64,${png.toString('base64')}`;
}

function chunk(type: string, body: Buffer): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

/** Node has one since 20.15; an extension host may be older. */
const crc32: (bytes: Uint8Array) => number = typeof nodeCrc32 === 'function' ? bytes => nodeCrc32(bytes) : bytes => {
  let crc = ~0;
  for (const byte of bytes) { crc ^= byte; for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1; }
  return ~crc >>> 0;
};
