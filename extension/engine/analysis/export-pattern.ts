/** Writes the probabilities (or scores) of chosen cells as a safetensors file, block by block. */
import { renameSync, rmSync } from 'node:fs';
import { UserError } from '../../contract/errors.ts';
import { blockCells, cells, prepare } from '../compute/rows.ts';
import { pause } from '../compute/turns.ts';
import type { TraceFile } from '../trace/open.ts';
import { PartWriter, writeFailure } from '../trace/part-writer.ts';
import { encodeHeader } from '../trace/safetensors.ts';
import { viewStoredSite, type SiteView } from '../trace/site-view.ts';

export interface PatternRequest {
  readonly out: string;
  /** Names; empty for all that have probabilities. */
  readonly sites: readonly string[];
  readonly head?: number;
  /** Half-open; to the end without a second number. */
  readonly rows?: readonly [number, number | undefined];
  readonly cols?: readonly [number, number | undefined];
  readonly scores: boolean;
}

/**
 * Tensors NAME.hook_pattern (NAME.hook_attn_scores for scores) [batch, head, query, key], float32: zeros (−∞) where a key is hidden.
 * Errors: UserError for what does not exist; nothing is left when it fails.
 */
export async function exportPattern(trace: TraceFile, request: PatternRequest, signal?: AbortSignal): Promise<void> {
  const { manifest, store } = trace, chosen: { readonly view: SiteView; readonly heads: readonly number[]; readonly rows: readonly [number, number]; readonly cols: readonly [number, number] }[] = [];
  for (const name of request.sites) if (!manifest.sites.some(site => site.name === name)) throw new UserError(`${trace.file} has no site ${name}.`, `Choose one of ${manifest.sites.slice(0, 12).map(site => site.name).join(', ')}${manifest.sites.length > 12 ? ', …' : ''}.`);
  for (const site of manifest.sites) {
    if (request.sites.length && !request.sites.includes(site.name)) continue;
    const view = viewStoredSite(store, site, manifest.masks[site.name]);
    if (view.from === 'nothing') {
      if (request.sites.length) throw new UserError(`${site.name} has no probabilities.`, 'Choose another site.');
      continue;
    }
    if (request.head !== undefined && !(Number.isInteger(request.head) && request.head >= 0 && request.head < view.heads)) throw new UserError(`${site.name} has no head ${request.head}; it has ${view.heads}.`, `Choose 0 to ${view.heads - 1}.`);
    chosen.push({ view, heads: request.head === undefined ? Array.from({ length: view.heads }, (_, h) => h) : [request.head], rows: span(request.rows, view.queries, 'rows', site.name), cols: span(request.cols, view.keys, 'columns', site.name) });
  }
  if (!chosen.length) throw new UserError(`${trace.file} has no site with probabilities.`, 'Trace another model.');
  const part = `${request.out}.part`, shapes = chosen.map(({ view, heads, rows, cols }) => [view.batch, heads.length, rows[1] - rows[0], cols[1] - cols[0]] as const);
  const nameOf = (view: SiteView): string => `${view.name}.${request.scores ? 'hook_attn_scores' : 'hook_pattern'}`;
  // The table is known before the first cell: lay it out, measure it, then write behind it.
  let end = 0;
  const table = Object.fromEntries(chosen.map(({ view }, n) => { const length = shapes[n].reduce((a, b) => a * b, 4), offset = end; end += length; return [nameOf(view), { dtype: 'F32' as const, shape: shapes[n], offset, length }]; }));
  const header = encodeHeader(table, {}, 0)!, writer = PartWriter.create(part, header.byteLength);
  try {
    writer.writeHeader(header);
    for (const [n, { view, heads, rows, cols }] of chosen.entries()) {
      writer.reserve(nameOf(view), 'F32', shapes[n]);
      const width = cols[1] - cols[0], height = rows[1] - rows[0], step = Math.max(1, Math.floor(blockCells / width));
      for (let b = 0; b < view.batch; b++) for (const [at, head] of heads.entries()) {
        const source = prepare({ view, batch: b, head, of: request.scores ? 'score' : 'prob' });
        for (let from = rows[0]; from < rows[1]; from += step) {
          const block = Array.from({ length: Math.min(step, rows[1] - from) }, (_, r) => from + r);
          writer.write(nameOf(view), ((b * heads.length + at) * height + from - rows[0]) * width * 4, await cells(source, block, cols[0], cols[1], request.scores ? -Infinity : 0));
          await pause(signal);
        }
      }
    }
    writer.close();
    try { renameSync(part, request.out); } catch (error) { throw writeFailure(request.out, error); }
  } finally {
    writer.close();
    rmSync(part, { force: true });
  }
}

function span(asked: readonly [number, number | undefined] | undefined, length: number, what: string, site: string): readonly [number, number] {
  const [from, to = length] = asked ?? [0, length];
  if (!(from >= 0 && from < to && to <= length)) throw new UserError(`${site} has no ${what} ${from} to ${to}; it has ${length}.`, 'Choose others.');
  return [from, to];
}
