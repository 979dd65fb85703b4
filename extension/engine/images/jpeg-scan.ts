/** A JPEG's markers and scans, sequential and progressive, read into the coefficients of its blocks (ITU-T T.81). */
import { DamagedImage } from './damaged.ts';
import { exifOrientation } from './exif.ts';
import { BitReader, huffman, type Huffman } from './jpeg-bits.ts';
import { firstAc, refineAc, sequentialAc, zigzag } from './jpeg-blocks.ts';

export interface Component {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly table: number;
  /** Samples that are of the image. */
  readonly width: number;
  readonly height: number;
  /** Blocks of 8 × 8 samples: of the image, and as stored (whole MCUs). */
  readonly across: number;
  readonly down: number;
  readonly stored: number;
  /** In the order of rows, not zigzag; [block, 64]. */
  readonly coefficients: Int16Array;
  dc: number;
}
export interface Scanned {
  readonly width: number;
  readonly height: number;
  readonly components: readonly Component[];
  readonly quantization: ReadonlyMap<number, Uint16Array>;
  readonly colors: 'gray' | 'rgb' | 'ycc';
  /** Of EXIF, 1 to 8. */
  readonly orientation: number;
}

/** A file with more scans, or more blocks in all of them, than any encoder makes is there to keep us busy: the largest image takes 11 million blocks in libjpeg's ten scans. */
const mostScans = 500, mostBlocks = 2 ** 24;

/** `admit` is asked about the size before anything of it is allocated. Errors: `DamagedImage`. */
export function scanJpeg(bytes: Uint8Array, admit: (width: number, height: number) => void): Scanned {
  const quantization = new Map<number, Uint16Array>(), tables = new Map<number, Huffman>(), view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let frame: { readonly width: number; readonly height: number; readonly progressive: boolean; readonly components: Component[]; readonly mcusAcross: number; readonly mcusDown: number } | undefined;
  let interval = 0, orientation = 1, jfif = false, adobe: number | undefined, scans = 0, blocks = 0, at = 2;
  for (;;) {
    while (at < bytes.length && bytes[at] !== 0xff) at++;
    while (bytes[at] === 0xff) at++;
    if (at >= bytes.length) throw new DamagedImage('it ends too early');
    const marker = bytes[at++];
    if (marker === 0xd9) break;
    if (marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (at + 2 > bytes.length) throw new DamagedImage('it ends too early');
    const end = at + view.getUint16(at);
    if (end > bytes.length || end < at + 2) throw new DamagedImage('a segment is longer than the file');
    const part = bytes.subarray(at + 2, end);
    if (marker === 0xe0 && ascii(part, 4) === 'JFIF') jfif = true;
    else if (marker === 0xe1 && ascii(part, 4) === 'Exif' && part.length > 6) orientation = exifOrientation(part.subarray(6));
    else if (marker === 0xee && ascii(part, 5) === 'Adobe' && part.length >= 12) adobe = part[11];
    else if (marker === 0xdb) readQuantization(part, quantization);
    else if (marker === 0xc4) readHuffman(part, tables);
    else if (marker === 0xdd && part.length >= 2) interval = (part[0] << 8) | part[1];
    else if (marker >= 0xc0 && marker <= 0xc2) {
      if (frame) throw new DamagedImage('it has two frames');
      frame = readFrame(part, marker === 0xc2, admit);
    } else if (marker >= 0xc3 && marker <= 0xcf && marker !== 0xc8 && marker !== 0xcc) throw new DamagedImage(`its kind of JPEG (SOF${marker - 0xc0}) is not sequential or progressive with Huffman codes`);
    else if (marker === 0xda) {
      if (!frame) throw new DamagedImage('a scan stands before the frame');
      if (++scans > mostScans) throw new DamagedImage(`it has more than ${mostScans} scans`);
      const scan = scanOf(part, frame, tables);
      if ((blocks += blocksOf(scan, frame)) > mostBlocks) throw new DamagedImage(`its scans have more than ${mostBlocks} blocks`);
      at = readScan(bytes, end, scan, frame, interval);
      continue;
    }
    at = end;
  }
  if (!frame || !scans) throw new DamagedImage('it holds no picture');
  const { width, height, components } = frame, ids = components.map(component => component.id);
  const colors = components.length === 1 ? 'gray' : jfif ? 'ycc' : adobe !== undefined ? (adobe === 0 ? 'rgb' : 'ycc') : ids.join() === '82,71,66' ? 'rgb' : 'ycc';
  return { width, height, components, quantization, colors, orientation };
}

function ascii(part: Uint8Array, length: number): string { return String.fromCharCode(...part.subarray(0, length)); }

function readQuantization(part: Uint8Array, into: Map<number, Uint16Array>): void {
  for (let at = 0; at < part.length;) {
    const wide = part[at] >> 4 ? 2 : 1, id = part[at++] & 15, table = new Uint16Array(64);
    if (at + 64 * wide > part.length) throw new DamagedImage('a quantization table is cut off');
    for (let n = 0; n < 64; n++, at += wide) table[zigzag[n]] = wide === 2 ? (part[at] << 8) | part[at + 1] : part[at];
    into.set(id, table);
  }
}

function readHuffman(part: Uint8Array, into: Map<number, Huffman>): void {
  for (let at = 0; at + 17 <= part.length;) {
    const id = part[at], counts = part.subarray(at + 1, at + 17), total = counts.reduce((sum, count) => sum + count, 0);
    if (total > 256 || at + 17 + total > part.length) throw new DamagedImage('a Huffman table is cut off');
    into.set(id, huffman(counts, part.subarray(at + 17, at + 17 + total)));
    at += 17 + total;
  }
}

type Frame = ReturnType<typeof readFrame>;

function readFrame(part: Uint8Array, progressive: boolean, admit: (width: number, height: number) => void) {
  if (part.length < 6 || part[0] !== 8) throw new DamagedImage('only 8 bits a sample are read');
  const height = (part[1] << 8) | part[2], width = (part[3] << 8) | part[4], count = part[5];
  if (!width || !height) throw new DamagedImage('it has no size');
  if (count !== 1 && count !== 3) throw new DamagedImage(`it has ${count} color components; 1 and 3 are read`);
  if (part.length < 6 + 3 * count) throw new DamagedImage('its frame is cut off');
  admit(width, height);
  const raw = Array.from({ length: count }, (_, n) => ({ id: part[6 + 3 * n], h: part[7 + 3 * n] >> 4, v: part[7 + 3 * n] & 15, table: part[8 + 3 * n] }));
  if (raw.some(({ h, v }) => h < 1 || h > 4 || v < 1 || v > 4)) throw new DamagedImage('its sampling factors are not 1 to 4');
  const hMost = Math.max(...raw.map(one => one.h)), vMost = Math.max(...raw.map(one => one.v)), mcusAcross = Math.ceil(width / 8 / hMost), mcusDown = Math.ceil(height / 8 / vMost);
  const components: Component[] = raw.map(one => {
    const w = Math.ceil(width * one.h / hMost), h = Math.ceil(height * one.v / vMost), stored = mcusAcross * one.h;
    return { ...one, width: w, height: h, across: Math.ceil(w / 8), down: Math.ceil(h / 8), stored, coefficients: new Int16Array(stored * mcusDown * one.v * 64), dc: 0 };
  });
  return { width, height, progressive, components, mcusAcross, mcusDown };
}

type Scan = ReturnType<typeof scanOf>;

function scanOf(header: Uint8Array, frame: Frame, tables: ReadonlyMap<number, Huffman>) {
  const count = header[0];
  if (!(count >= 1 && count <= 4) || header.length < 4 + 2 * count) throw new DamagedImage('the header of a scan is cut off');
  const parts = Array.from({ length: count }, (_, n) => {
    const component = frame.components.find(one => one.id === header[1 + 2 * n]);
    if (!component) throw new DamagedImage('a scan names a component that the frame does not have');
    return { component, dc: tables.get(header[2 + 2 * n] >> 4), ac: tables.get(0x10 | (header[2 + 2 * n] & 15)) };
  });
  const [start, stop, approximation] = header.subarray(1 + 2 * count);
  if (start > stop || stop > 63 || (frame.progressive && start > 0 && count > 1)) throw new DamagedImage('a scan has a wrong range of coefficients');
  return { parts, start, stop, approximation };
}

function blocksOf({ parts }: Scan, { mcusAcross, mcusDown }: Frame): number {
  return parts.length === 1 ? parts[0].component.across * parts[0].component.down : mcusAcross * mcusDown * parts.reduce((sum, { component: { h, v } }) => sum + h * v, 0);
}

/** Reads one scan; returns where the marker behind it is looked for. */
function readScan(bytes: Uint8Array, at: number, { parts, start, stop, approximation }: Scan, frame: Frame, interval: number): number {
  const first = approximation >> 4 === 0, shift = approximation & 15;
  const bits = new BitReader(bytes, at), runs = { blocks: 0 };
  const need = (table: Huffman | undefined): Huffman => { if (!table) throw new DamagedImage('a Huffman table is missing'); return table; };
  const decode = ({ component, dc, ac }: typeof parts[number], block: number): void => {
    const { coefficients } = component, base = block * 64;
    if (!frame.progressive) { component.dc += bits.signed(bits.symbol(need(dc)) & 15); coefficients[base] = component.dc; sequentialAc(bits, need(ac), coefficients, base); return; }
    if (start === 0) {
      if (first) { component.dc += bits.signed(bits.symbol(need(dc)) & 15); coefficients[base] = component.dc << shift; } else if (bits.read(1)) coefficients[base] |= 1 << shift;
    } else if (first) firstAc(bits, need(ac), coefficients, base, { start, stop, shift, runs });
    else refineAc(bits, need(ac), coefficients, base, { start, stop, shift, runs });
  };
  const single = parts.length === 1 ? parts[0] : undefined, units = single ? single.component.across * single.component.down : frame.mcusAcross * frame.mcusDown;
  for (const { component } of parts) component.dc = 0;
  for (let unit = 0; unit < units; unit++) {
    if (interval && unit && unit % interval === 0) { bits.restart(); runs.blocks = 0; for (const { component } of parts) component.dc = 0; }
    // As libjpeg does: blocks behind the end of the data stay as they are.
    if (bits.starved) { if (interval) continue; break; }
    if (single) { const { across, stored } = single.component; decode(single, Math.floor(unit / across) * stored + unit % across); continue; }
    const row = Math.floor(unit / frame.mcusAcross), column = unit % frame.mcusAcross;
    for (const part of parts) { const { h, v, stored } = part.component; for (let y = 0; y < v; y++) for (let x = 0; x < h; x++) decode(part, (row * v + y) * stored + column * h + x); }
  }
  return bits.position;
}
