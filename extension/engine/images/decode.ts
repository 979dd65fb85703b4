/** An image file to upright RGB, as PIL's `exif_transpose(Image.open(f)).convert("RGB")` gives it; sizes are bounded before anything is allocated. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { PNG } from 'pngjs';
import { UserError } from '../../contract/errors.ts';
import { DamagedImage } from './damaged.ts';
import { exifOrientation } from './exif.ts';
import { decodeJpeg } from './jpeg.ts';
import { mostPixels, upright, type Picture } from './picture.ts';

export interface ImageFile { readonly picture: Picture; readonly sha256: string }

const mostBytes = 256 * 2 ** 20;

/** PNG and JPEG. Errors: `UserError` that names the file. */
export function readImage(file: string): ImageFile {
  let bytes: Buffer;
  try {
    const stats = statSync(file);
    if (!stats.isFile()) throw new UserError(`${file} is not a file.`, 'Give a PNG or JPEG image.');
    if (stats.size > mostBytes) throw new UserError(`The image ${file} is ${stats.size} bytes long; at most ${mostBytes} are read.`, 'Make it smaller.');
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`The image ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`, 'Check its path.');
  }
  return { picture: decodeImage(bytes, file), sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** `name` is for sentences. Errors: `UserError`. */
export function decodeImage(bytes: Uint8Array, name: string): Picture {
  const admit = (width: number, height: number): void => {
    if (width * height > mostPixels) throw new UserError(`The image ${name} has ${width} × ${height} pixels; at most ${mostPixels / 1e6} million are decoded.`, 'Make it smaller.');
  };
  try {
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return decodeJpeg(bytes, admit);
    if (Buffer.from(bytes.subarray(0, 8)).equals(signature)) return decodePng(bytes, admit);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`The image ${name} is damaged or of an unusual kind: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}.`, 'Save it again as PNG or JPEG.');
  }
  throw new UserError(`The image ${name} is neither a PNG nor a JPEG.`, 'Save it as one of these.');
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function decodePng(bytes: Uint8Array, admit: (width: number, height: number) => void): Picture {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (data.length < 33 || data.toString('latin1', 12, 16) !== 'IHDR') throw new DamagedImage('its first chunk is no IHDR');
  const width = data.readUInt32BE(16), height = data.readUInt32BE(20), interlaced = data[28] !== 0;
  if (!width || !height) throw new DamagedImage('it has no size');
  admit(width, height);
  // Channels of 16 bits are held several times over before they are 8: what an image of the most pixels takes with 8 bits and alpha.
  const bytes16 = data[24] === 16 ? width * height * 2 * (channelsOf[data[25]] ?? 4) : 0;
  if (bytes16 > 4 * mostPixels) throw new DamagedImage(`its 16-bit channels take ${Math.ceil(bytes16 / 1e6)} MB, and at most ${4 * mostPixels / 1e6} MB are decoded (8 bits are all that a model is fed)`);
  // Interlaced data are inflated without a limit: what deflate can make of the file at most (1 : 1,032) must be near the size.
  if (interlaced && (data.length * 1032 > 2 ** 30) && width * height < mostPixels / 8) throw new DamagedImage('it holds more data than its size needs');
  const { data: rgba } = PNG.sync.read(data, { checkCRC: true }), rgb = new Uint8Array(width * height * 3);
  if (rgba.length !== width * height * 4) throw new DamagedImage('its pixels are missing');
  for (let at = 0, from = 0; at < rgb.length; at += 3, from += 4) { rgb[at] = rgba[from]; rgb[at + 1] = rgba[from + 1]; rgb[at + 2] = rgba[from + 2]; }
  return upright({ width, height, rgb }, orientationOf(data));
}

/** By color type. */
const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/** Of the eXIf chunk. */
function orientationOf(data: Buffer): number {
  for (let at = 8; at + 12 <= data.length;) {
    const length = data.readUInt32BE(at), kind = data.toString('latin1', at + 4, at + 8);
    if (kind === 'eXIf' && at + 8 + length <= data.length) return exifOrientation(data.subarray(at + 8, at + 8 + length));
    if (kind === 'IDAT' && length > data.length) return 1;
    at += 12 + length;
  }
  return 1;
}
