/** Writes one head as a picture (PNG) or as a table (CSV). */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { PNG } from 'pngjs';
import { UserError } from '../../contract/errors.ts';
import type { Tile } from '../../contract/api.ts';
import { pause } from '../compute/turns.ts';
import type { TraceFile } from '../trace/open.ts';
import { writeFailure } from '../trace/part-writer.ts';
import { viewStoredSite, type SiteView } from '../trace/site-view.ts';
import { sequenceOf } from '../../contract/sequences.ts';
import { lutIndex, viridis } from '../../contract/viridis.ts';
import { computeTile } from './tile.ts';

const mostPixels = 1024;
/** Small maps are drawn large enough to be seen. */
const fewestPixels = 384;
const mostCsvCells = 2 ** 24;
/** Cells that a mask hides: a grey that viridis does not have. */
const masked = [222, 222, 228] as const;

export interface MapRequest { readonly site: string; readonly batch: number; readonly head: number; readonly out: string }

/** Errors: UserError for what does not exist, for other endings than .png and .csv, and for tables that nobody can open. */
export async function exportMap(trace: TraceFile, { site: name, batch, head, out }: MapRequest, signal?: AbortSignal): Promise<void> {
  const site = trace.manifest.sites.find(one => one.name === name), ending = extname(out).toLowerCase();
  if (!site) throw new UserError(`${trace.file} has no site ${name}.`, 'Choose another.');
  if (ending !== '.png' && ending !== '.csv') throw new UserError(`A map is written as .png or .csv; found ${ending || 'no ending'}.`, 'Choose one of these endings.');
  const view = viewStoredSite(trace.store, site, trace.manifest.masks[name]), all = { rows: [0, view.queries] as const, cols: [0, view.keys] as const };
  if (ending === '.csv' && view.queries * view.keys > mostCsvCells) throw new UserError(`A table of ${view.queries} × ${view.keys} cells is too large to be of use.`, 'Write a .png, or the numbers with "attnscope pattern".');
  const pixels = ending === '.csv' ? Infinity : mostPixels;
  const tile = await computeTile({ view, batch, head, ...all, height: Math.min(view.queries, pixels), width: Math.min(view.keys, pixels), of: 'prob', reduce: 'max', between: () => pause(signal) });
  const tokens = (side: 'queries' | 'keys'): readonly string[] => sequenceOf(trace.manifest.input, site, side)?.tokens[batch] ?? [];
  const bytes = ending === '.png' ? picture(tile) : table(tile, view, { queries: tokens('queries'), keys: tokens('keys') }), part = `${out}.part`;
  try {
    writeFileSync(part, bytes);
    renameSync(part, out);
  } catch (error) { throw writeFailure(out, error); } finally { rmSync(part, { force: true }); }
}

/** Viridis from 0 to the largest probability of the map. */
function picture({ height, width, data }: Tile): Buffer {
  const cell = Math.max(1, Math.floor(fewestPixels / Math.max(height, width))), png = new PNG({ width: width * cell, height: height * cell });
  let most = 0;
  for (const value of data) if (value > most && value < Infinity) most = value;
  for (let y = 0; y < png.height; y++) for (let x = 0; x < png.width; x++) {
    const value = data[Math.floor(y / cell) * width + Math.floor(x / cell)], colour = lutIndex(most ? value / most : 0) * 4, [r, g, b] = Number.isNaN(value) ? masked : viridis.subarray(colour, colour + 3), at = (y * png.width + x) * 4;
    png.data[at] = r;
    png.data[at + 1] = g;
    png.data[at + 2] = b;
    png.data[at + 3] = 255;
  }
  return PNG.sync.write(png);
}

/** One line a query, one column a key; hidden cells are empty. Positions stand before the tokens, so that no cell begins with a formula. */
function table({ height, width, data }: Tile, view: SiteView, tokens: { readonly queries: readonly string[]; readonly keys: readonly string[] }): string {
  const named = (position: number, of: 'queries' | 'keys'): string => quote(tokens[of].length === view[of] ? `${position} ${tokens[of][position]}` : String(position));
  const lines = [['query', ...Array.from({ length: width }, (_, j) => named(j, 'keys'))].join()];
  for (let i = 0; i < height; i++) lines.push([named(i, 'queries'), ...Array.from(data.subarray(i * width, (i + 1) * width), value => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(7)))))].join());
  return `${lines.join('\n')}\n`;
}

function quote(text: string): string { return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; }
