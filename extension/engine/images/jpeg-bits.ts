/** Entropy-coded data of a JPEG as bits and Huffman codes (ITU-T T.81, annex F); zeros are read where a marker stands. */
import { DamagedImage } from './damaged.ts';

/** Codes of up to 16 bits: `code` − `first` of its length is the place among `symbols`. */
export interface Huffman { readonly lookup: Uint16Array; readonly first: Int32Array; readonly last: Int32Array; readonly offset: Int32Array; readonly symbols: Uint8Array }

const quick = 8;

/** `counts`: how many codes of 1 … 16 bits. */
export function huffman(counts: Uint8Array, symbols: Uint8Array): Huffman {
  const first = new Int32Array(17), last = new Int32Array(17).fill(-1), offset = new Int32Array(17), lookup = new Uint16Array(1 << quick);
  for (let bits = 1, code = 0, at = 0; bits <= 16; bits++, code <<= 1) {
    first[bits] = code;
    offset[bits] = at - code;
    for (let n = 0; n < counts[bits - 1]; n++, code++, at++) {
      if (code >= 1 << bits) throw new DamagedImage('its Huffman tables overflow');
      if (bits <= quick) lookup.fill((bits << 8) | symbols[at], code << (quick - bits), (code + 1) << (quick - bits));
    }
    last[bits] = counts[bits - 1] ? code - 1 : -1;
  }
  return { lookup, first, last, offset, symbols };
}

export class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #held = 0;
  #bits = 0;
  /** Of the bits that are held, the last ones that no byte of the file stands for. */
  #padding = 0;
  constructor(bytes: Uint8Array, at: number) { this.#bytes = bytes; this.#at = at; }

  /** Where the marker stands that ends the data, once all of them are read. */
  get position(): number { return this.#at; }

  /** A bit was read that the data do not have. */
  get starved(): boolean { return this.#bits < this.#padding; }

  /** Drops what is left of the byte, and skips the restart marker, if there is one. */
  restart(): void {
    this.#bits = this.#held = this.#padding = 0;
    const bytes = this.#bytes;
    // What stands before the marker belongs to the interval that has ended.
    while (this.#at + 1 < bytes.length && !(bytes[this.#at] === 0xff && bytes[this.#at + 1] !== 0 && bytes[this.#at + 1] !== 0xff)) this.#at++;
    if (bytes[this.#at + 1] >= 0xd0 && bytes[this.#at + 1] <= 0xd7) this.#at += 2;
  }

  #fill(wanted: number): void {
    const bytes = this.#bytes;
    while (this.#bits < wanted) {
      let byte = 0;
      if (this.#at >= bytes.length) throw new DamagedImage('it ends too early');
      if (bytes[this.#at] !== 0xff) byte = bytes[this.#at++];
      else if (bytes[this.#at + 1] === 0) { byte = 0xff; this.#at += 2; }
      else this.#padding += 8;
      this.#held = ((this.#held << 8) | byte) & 0xffffff;
      this.#bits += 8;
    }
  }

  /** `count` ≤ 16 bits, the first one highest. */
  read(count: number): number {
    if (count === 0) return 0;
    this.#fill(count);
    this.#bits -= count;
    return (this.#held >> this.#bits) & ((1 << count) - 1);
  }

  /** A number of `size` bits with its sign (T.81, F.2.2.1). */
  signed(size: number): number {
    if (size === 0) return 0;
    const value = this.read(size);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  }

  symbol(table: Huffman): number {
    this.#fill(quick);
    const found = table.lookup[(this.#held >> (this.#bits - quick)) & 255];
    if (found) { this.#bits -= found >> 8; return found & 255; }
    let code = this.read(quick);
    for (let bits = quick + 1; bits <= 16; bits++) {
      code = (code << 1) | this.read(1);
      if (code <= table.last[bits] && code >= table.first[bits]) return table.symbols[table.offset[bits] + code];
    }
    throw new DamagedImage('it holds a code that its Huffman tables do not have');
  }
}
