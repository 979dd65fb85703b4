/** The coefficients of one block of a JPEG, sequential and in the passes of a progressive one (ITU-T T.81, F.2.2 and G.1.2). */
import { DamagedImage } from './damaged.ts';
import type { BitReader, Huffman } from './jpeg-bits.ts';

export const zigzag = Uint8Array.of(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63);

/** Coefficients `start` … `stop`, without their `shift` lowest bits; `runs`: blocks that have none of them. */
export interface Band { readonly start: number; readonly stop: number; readonly shift: number; readonly runs: { blocks: number } }

export function sequentialAc(bits: BitReader, table: Huffman, into: Int16Array, base: number): void {
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(table), size = symbol & 15, run = symbol >> 4;
    if (size === 0) { if (run < 15) return; k += 15; continue; }
    k += run;
    if (k > 63) throw new DamagedImage('a block has too many coefficients');
    into[base + zigzag[k]] = bits.signed(size);
  }
}

export function firstAc(bits: BitReader, table: Huffman, into: Int16Array, base: number, { start, stop, shift, runs }: Band): void {
  if (runs.blocks > 0) { runs.blocks--; return; }
  for (let k = start; k <= stop; k++) {
    const symbol = bits.symbol(table), size = symbol & 15, run = symbol >> 4;
    if (size === 0) {
      if (run < 15) { runs.blocks = (1 << run) - 1 + bits.read(run); return; }
      k += 15;
      continue;
    }
    k += run;
    if (k > 63) throw new DamagedImage('a block has too many coefficients');
    into[base + zigzag[k]] = bits.signed(size) << shift;
  }
}

/** T.81, G.1.2.3: a bit for every coefficient that is there already, new ones after `run` that are not. */
export function refineAc(bits: BitReader, table: Huffman, into: Int16Array, base: number, { start, stop, shift, runs }: Band): void {
  const up = 1 << shift;
  const correct = (at: number): void => { if (bits.read(1) && !(into[at] & up)) into[at] += into[at] < 0 ? -up : up; };
  let k = start;
  if (runs.blocks === 0) {
    for (; k <= stop; k++) {
      const symbol = bits.symbol(table), size = symbol & 15;
      let run = symbol >> 4, value = 0;
      if (size) value = bits.read(1) ? up : -up;
      else if (run < 15) { runs.blocks = (1 << run) + bits.read(run); break; }
      for (; k <= stop; k++) {
        const at = base + zigzag[k];
        if (into[at]) correct(at);
        else if (--run < 0) { if (value) into[at] = value; break; }
      }
    }
  }
  if (runs.blocks > 0) {
    for (; k <= stop; k++) { const at = base + zigzag[k]; if (into[at]) correct(at); }
    runs.blocks--;
  }
}
