/** Where on the image a token or a patch looks: rows of attention over image positions, averaged over heads and sites, with visual sinks told apart. */
import type { Look, LookRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { cellOfKey, placeOfQuery, sameCell, type Grid, type SiteGrid } from '../../contract/image-grid.ts';
import type { TraceImage } from '../../contract/trace.ts';
import { blockCells, cells, prepare } from '../compute/rows.ts';
import type { SiteView } from '../trace/site-view.ts';
import type { OpenTraces } from './open-traces.ts';

/** How one site's keys are cells: `cell[j]` of key j, −1 for an extra token, −2 for anything else. */
interface Seen { readonly view: SiteView; readonly sample: number; readonly query: number; readonly cell: Int32Array; readonly grid: Grid; readonly vision?: SiteGrid }

/** Errors: `UserError` where the sites have no place on the image, or the row does not exist. */
export async function look(traces: OpenTraces, request: LookRequest, between: () => Promise<void>): Promise<Look> {
  const { manifest } = traces.trace(request.trace), image = manifest.input.images?.[request.batch];
  if (!image) throw new UserError('This trace has no image.', 'Trace the model again with one.');
  if (!request.sites.length) throw new UserError('No site was chosen.', 'Choose one.');
  const all = request.sites.map(name => seen(traces.view(request.trace, name), image, request, traces.grids(request.trace)[name]));
  const most = Math.max(...all.map(one => one.view.heads)), shares = new Float32Array(all.length * most).fill(NaN), [{ grid }] = all, size = grid.rows * grid.columns;
  const used: string[] = [], sum = new Float64Array(size), known = new Uint8Array(size), sinks = new Float32Array(size), masses = { image: 0, extra: 0, before: 0, behind: 0, generated: 0 };
  for (const [n, one] of all.entries()) {
    const { view, cell } = one, row = await rowOf(one);
    await between();
    for (let h = 0; h < view.heads; h++) {
      let share = 0;
      for (let j = 0; j < view.keys; j++) if (cell[j] >= 0) share += row[h * view.keys + j];
      shares[n * most + h] = share;
    }
    if (one.grid.rows !== grid.rows || one.grid.columns !== grid.columns) continue;
    used.push(view.name);
    const heads = request.head === undefined ? Array.from({ length: view.heads }, (_, h) => h) : [Math.min(request.head, view.heads - 1)];
    const sink = one.view.site.form === 'window' ? undefined : await sinksOf(one, image, between);
    for (let j = 0; j < view.keys; j++) {
      let mean = 0;
      for (const h of heads) mean += row[h * view.keys + j] / heads.length;
      masses[placeOf(one, j, image)] += mean;
      if (cell[j] < 0) continue;
      known[cell[j]] = 1;
      if (sink?.[cell[j]]) sinks[cell[j]]++;
      if (!request.withoutSinks || !sink?.[cell[j]]) sum[cell[j]] += mean;
    }
  }
  const total = request.withoutSinks ? sum.reduce((a, b) => a + b, 0) || 1 : used.length;
  const share = (value: number): number => value / used.length;
  return {
    sites: used, rows: grid.rows, columns: grid.columns, cells: Float32Array.from(sum, (value, n) => (known[n] ? value / total : NaN)), sinks: sinks.map(share), shares,
    masses: { image: share(masses.image), extra: share(masses.extra), before: share(masses.before), behind: share(masses.behind), generated: share(masses.generated) },
  };
}

function placeOf({ cell, vision }: Seen, position: number, { tokens }: TraceImage): keyof Look['masses'] {
  if (cell[position] >= 0) return 'image';
  if (vision || !tokens) return 'extra';
  return position < tokens.runs[0][0] ? 'before' : 'behind';
}

/** What the site's row is, and which cell each of its keys is. */
function seen(view: SiteView, image: TraceImage, { of, batch }: LookRequest, vision: SiteGrid | undefined): Seen {
  const cell = new Int32Array(view.keys).fill(-2);
  if ('row' in of) {
    const { tokens } = image;
    if (!tokens || tokens.problem !== undefined) throw new UserError(tokens?.problem ?? 'No token of this prompt stands for the image.', 'Write the image token into the prompt.');
    if (of.row < 0 || of.row >= view.queries) throw new UserError(`${view.name} has no row ${of.row}; it has ${view.queries}.`, 'Choose another token.');
    let n = 0;
    for (const [from, to] of tokens.runs) for (let j = from; j < to; j++, n++) if (j < view.keys) cell[j] = n;
    return { view, sample: batch, query: of.row, cell, grid: tokens };
  }
  if (!vision) throw new UserError(`The positions of ${view.name} are no patches of the image.`, 'Choose another site.');
  const extra = of.cell < 0, asked = extra ? Math.max(of.cell, -vision.queries.extra) : sameCell(image.patches, of.cell, vision.queries);
  if ((extra && asked >= 0) || of.cell >= image.patches.rows * image.patches.columns) throw new UserError(`${view.name} has no such position.`, 'Choose a patch.');
  const { sample, position } = placeOfQuery(vision, asked), windows = vision.windows ? vision.windows.across * vision.windows.down : 1;
  for (let j = 0; j < view.keys; j++) { const found = cellOfKey(vision, sample, j); cell[j] = found === undefined ? -2 : Math.max(-1, found); }
  return { view, sample: batch * windows + sample, query: position, cell, grid: vision.keys, vision };
}

/** [head, key] of the row. */
async function rowOf({ view, sample, query }: Seen): Promise<Float32Array> {
  return cells(prepare({ view, batch: sample, of: 'prob' }), [query], 0, view.keys, 0);
}

/** A cell is taken by a row when it gets this many times the even share of what falls on the image. */
export const sinkTimes = 5;
/** A sink is taken by more than this share of the rows. */
export const sinkRows = 0.8;
const mostRows = 64;
const found = new WeakMap<SiteView, Map<number, Uint8Array>>();

/**
 * Cells that nearly every row looks at: approximate visual sinks, by attention (the card of visual sinks, where hidden states are not there).
 * Rows are those of tokens behind the image, or of patches; at most 64, evenly spread.
 */
async function sinksOf({ view, sample, cell, grid, vision }: Seen, image: TraceImage, between: () => Promise<void>): Promise<Uint8Array> {
  const known = found.get(view)?.get(sample);
  if (known) return known;
  const size = grid.rows * grid.columns, sinks = new Uint8Array(size), taken = new Uint32Array(size), start = !vision && image.tokens ? image.tokens.runs[image.tokens.runs.length - 1][1] : 0;
  const count = Math.min(mostRows, view.queries - start), rows = Array.from({ length: Math.max(0, count) }, (_, n) => start + Math.floor(n * (view.queries - start) / count));
  const chosen = prepare({ view, batch: sample, of: 'prob' }), step = Math.max(1, Math.floor(blockCells / view.heads / view.keys));
  for (let at = 0; at < rows.length; at += step) {
    const part = rows.slice(at, at + step), block = await cells(chosen, part, 0, view.keys, 0);
    for (let r = 0; r < part.length; r++) {
      const mean = new Float64Array(size);
      let total = 0;
      for (let h = 0; h < view.heads; h++) for (let j = 0; j < view.keys; j++) if (cell[j] >= 0) { const value = block[(h * part.length + r) * view.keys + j]; mean[cell[j]] += value; total += value; }
      for (let n = 0; n < size; n++) if (mean[n] > sinkTimes * total / size) taken[n]++;
    }
    await between();
  }
  if (rows.length) for (let n = 0; n < size; n++) if (taken[n] > sinkRows * rows.length) sinks[n] = 1;
  const samples = found.get(view) ?? new Map<number, Uint8Array>();
  samples.set(sample, sinks);
  found.set(view, samples);
  return sinks;
}
