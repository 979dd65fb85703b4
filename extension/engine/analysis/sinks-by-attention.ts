/** Sinks by attention alone, approximate: cells of an image that nearly every row looks at, and tokens of the text that take most of it. */
import { blockCells, cells, prepare } from '../compute/rows.ts';
import type { SiteView } from '../trace/site-view.ts';

/** A cell is taken by a row when it gets this many times the even share of what falls on the image. */
const sinkTimes = 5;
/** A sink is taken by more than this share of the rows. */
const sinkRows = 0.8;
/** A token of the text is a sink when the rows give it more than this on average (Gu 2024). */
const importance = 0.3;
const mostRows = 64;
const found = new WeakMap<SiteView, Map<number, Uint8Array>>();

/** `cell`: of each key, below 0 where it is none of the image's `size` cells. Rows from `start` on are asked, at most 64, evenly spread. */
export interface Asked { readonly view: SiteView; readonly sample: number; readonly cell: Int32Array; readonly size: number; readonly start: number; /** Tokens of a text that is read along with the image. */ readonly text: boolean }

/** 1 where a key is a sink. */
export async function sinksByAttention({ view, sample, cell, size, start, text }: Asked, between: () => Promise<void>): Promise<Uint8Array> {
  const known = found.get(view)?.get(sample);
  if (known) return known;
  const { keys, heads } = view, sinks = new Uint8Array(keys), taken = new Uint32Array(keys), received = new Float64Array(keys);
  const count = Math.min(mostRows, view.queries - start), rows = Array.from({ length: Math.max(0, count) }, (_, n) => start + Math.floor(n * (view.queries - start) / count));
  const chosen = prepare({ view, batch: sample, of: 'prob' }), step = Math.max(1, Math.floor(blockCells / heads / keys));
  for (let at = 0; at < rows.length; at += step) {
    const part = rows.slice(at, at + step), block = await cells(chosen, part, 0, keys, 0);
    for (let r = 0; r < part.length; r++) {
      const mean = new Float64Array(keys);
      let total = 0;
      for (let h = 0; h < heads; h++) for (let j = 0; j < keys; j++) { const value = block[(h * part.length + r) * keys + j]; mean[j] += value; if (cell[j] >= 0) total += value; }
      for (let j = 0; j < keys; j++) if (cell[j] >= 0) { if (mean[j] > sinkTimes * total / size) taken[j]++; } else received[j] += mean[j] / heads;
    }
    await between();
  }
  if (rows.length) for (let j = 0; j < keys; j++) if (cell[j] >= 0 ? taken[j] > sinkRows * rows.length : text && received[j] > importance * rows.length) sinks[j] = 1;
  const samples = found.get(view) ?? new Map<number, Uint8Array>();
  samples.set(sample, sinks);
  found.set(view, samples);
  return sinks;
}
