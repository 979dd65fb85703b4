/** Where on the image a token or a patch looks: rows of attention over image positions, averaged over heads and sites, with sinks told apart. */
import type { Look, LookRequest } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { cellOfKey, placeOfQuery, sameCell, type Grid, type SiteGrid } from '../../contract/image-grid.ts';
import type { Manifest, TraceImage } from '../../contract/trace.ts';
import { cells, prepare } from '../compute/rows.ts';
import type { SiteView } from '../trace/site-view.ts';
import { cellsOfKeys, placedViews, summedViews, type Placed } from './image-views.ts';
import type { OpenTraces } from './open-traces.ts';
import { sinksByAttention } from './sinks-by-attention.ts';
import { sinksByState, type StateSinks } from './sinks-by-state.ts';

/** How one site's keys are cells: `cell[j]` of key j, −1 for an extra token, −2 for anything else. `size`: cells of all views. */
interface Seen { readonly view: SiteView; readonly sample: number; readonly query: number; readonly cell: Int32Array; readonly grid: Grid; readonly size: number; readonly views?: readonly Placed[]; readonly vision?: SiteGrid }

/** Errors: `UserError` where the sites have no place on the image, the row does not exist, or the stream that sinks are asked of is not there. */
export async function look(traces: OpenTraces, request: LookRequest, between: () => Promise<void>): Promise<Look> {
  const { manifest } = traces.trace(request.trace), image = manifest.input.images?.[request.batch];
  if (!image) throw new UserError('This trace has no image.', 'Trace the model again with one.');
  if (!request.sites.length) throw new UserError('No site was chosen.', 'Choose one.');
  const all = request.sites.map(name => seen(traces.view(request.trace, name), image, request, traces.grids(request.trace)[name]));
  const most = Math.max(...all.map(one => one.view.heads)), shares = new Float32Array(all.length * most).fill(NaN), [{ grid, size, views }] = all, state = request.sinks === 'state' ? await stateOf(traces, request, manifest, all[0], between) : undefined;
  const used: string[] = [], sum = new Float64Array(size), known = new Uint8Array(size), sinks = new Float64Array(size), masses = { image: 0, imageSinks: 0, textSinks: 0, extra: 0, before: 0, between: 0, behind: 0, generated: 0 };
  for (const [n, one] of all.entries()) {
    const { view, cell, sample } = one, row = await rowOf(one);
    await between();
    for (let h = 0; h < view.heads; h++) {
      let share = 0;
      for (let j = 0; j < view.keys; j++) if (cell[j] >= 0) share += row[h * view.keys + j];
      shares[n * most + h] = share;
    }
    if (one.grid.rows !== grid.rows || one.grid.columns !== grid.columns) continue;
    used.push(view.name);
    const heads = request.head === undefined ? Array.from({ length: view.heads }, (_, h) => h) : [Math.min(request.head, view.heads - 1)], start = one.vision || !image.tokens ? 0 : image.tokens.runs[image.tokens.runs.length - 1][1];
    const sink = state ? state.of(view.site) : view.site.form === 'window' ? undefined : await sinksByAttention({ view, sample, cell, size, start, text: !one.vision }, between);
    for (let j = 0; j < view.keys; j++) {
      let mean = 0;
      for (const h of heads) mean += row[h * view.keys + j] / heads.length;
      masses[placeOf(one, j, image, sink?.[j] === 1, manifest)] += mean;
      if (cell[j] < 0) continue;
      known[cell[j]] = 1;
      if (sink?.[j]) sinks[cell[j]]++;
      if (!request.withoutSinks || !sink?.[j]) sum[cell[j]] += mean;
    }
  }
  const shown = shownOf({ sum, known, sinks }, grid, views, request.view ?? 0), total = request.withoutSinks ? shown.cells.reduce((a, b) => a + (Number.isNaN(b) ? 0 : b), 0) || 1 : used.length;
  return {
    sites: used, rows: shown.grid.rows, columns: shown.grid.columns, ...(shown.box ? { box: shown.box } : {}), cells: Float32Array.from(shown.cells, value => value / total), sinks: Float32Array.from(shown.sinks, value => value / used.length), shares,
    masses: Object.fromEntries(Object.entries(masses).map(([part, value]) => [part, value / used.length])) as Look['masses'], ...(state ? { state: { dims: state.dims, threshold: state.threshold } } : {}),
  };
}

interface Cells { readonly sum: Float64Array; readonly known: Uint8Array; readonly sinks: Float64Array }

/** The cells of the chosen view, NaN where the query cannot look; a cell of a sum is a sink where one that lies on it is. */
function shownOf({ sum, known, sinks }: Cells, grid: Grid, views: readonly Placed[] | undefined, chosen: number | 'sum'): { readonly grid: Grid; readonly box?: Placed['box']; readonly cells: Float64Array; readonly sinks: Float64Array } {
  const cells = sum.map((value, n) => (known[n] ? value : NaN));
  if (!views) return { grid, cells, sinks };
  const view = views[Math.min(chosen === 'sum' ? 0 : chosen, views.length - 1)], to = view.from + view.rows * view.columns, there = view.box ? { grid: view, box: view.box } : { grid: view };
  return chosen === 'sum' ? { ...there, cells: summedViews(views, sum), sinks: sinks.subarray(0, to) as Float64Array } : { ...there, cells: cells.subarray(view.from, to) as Float64Array, sinks: sinks.subarray(view.from, to) as Float64Array };
}

function placeOf({ cell, vision }: Seen, position: number, { tokens }: TraceImage, sink: boolean, { generated }: Manifest): keyof Look['masses'] {
  if (cell[position] >= 0) return sink ? 'imageSinks' : 'image';
  if (vision || !tokens) return 'extra';
  if (sink) return 'textSinks';
  if (generated && position >= generated.from) return 'generated';
  return position < tokens.runs[0][0] ? 'before' : position < tokens.runs[tokens.runs.length - 1][1] ? 'between' : 'behind';
}

/** Errors: `UserError` where the trace keeps no stream of the language model. */
async function stateOf(traces: OpenTraces, { trace, batch }: LookRequest, manifest: Manifest, { vision, cell, view }: Seen, between: () => Promise<void>): Promise<StateSinks> {
  const real = manifest.input.real[batch] ?? [], ordinary = Uint8Array.from({ length: view.keys }, (_, j) => (cell[j] === -2 && (real[j] ?? 1) === 1 ? 1 : 0));
  const language = manifest.sites.filter(site => site.stack === view.site.stack && site.kind === 'self').map(site => traces.view(trace, site.name)), found = vision ? undefined : await sinksByState({ store: traces.trace(trace).store, views: language, batch, ordinary }, between);
  if (!found) throw new UserError('The residual stream of this model is not in the trace, so that its sinks cannot be told by their state.', 'Trace it again with the setting attnscope.keepResidualStream, or with --keep q,k,v,resid.');
  return found;
}

/** What the site's row is, and which cell each of its keys is. */
function seen(view: SiteView, image: TraceImage, { of, batch }: LookRequest, vision: SiteGrid | undefined): Seen {
  if ('row' in of) {
    const { tokens } = image;
    if (!tokens || tokens.problem !== undefined) throw new UserError(tokens?.problem ?? 'No token of this prompt stands for the image.', 'Write the image token into the prompt.');
    if (of.row < 0 || of.row >= view.queries) throw new UserError(`${view.name} has no row ${of.row}; it has ${view.queries}.`, 'Choose another token.');
    const views = placedViews(tokens), last = views[views.length - 1];
    return { view, sample: batch, query: of.row, cell: cellsOfKeys(views, view.keys), grid: tokens, size: last.from + last.rows * last.columns, views };
  }
  if (!vision) throw new UserError(`The positions of ${view.name} are no patches of the image.`, 'Choose another site.');
  const cell = new Int32Array(view.keys), { keys } = vision, extra = of.cell < 0, asked = extra ? Math.max(of.cell, -vision.queries.extra) : sameCell(image.patches, of.cell, vision.queries);
  if ((extra && asked >= 0) || of.cell >= image.patches.rows * image.patches.columns) throw new UserError(`${view.name} has no such position.`, 'Choose a patch.');
  const { sample, position } = placeOfQuery(vision, asked), windows = vision.windows ? vision.windows.across * vision.windows.down : 1;
  for (let j = 0; j < view.keys; j++) { const found = cellOfKey(vision, sample, j); cell[j] = found === undefined ? -2 : Math.max(-1, found); }
  return { view, sample: batch * windows + sample, query: position, cell, grid: keys, size: keys.rows * keys.columns, vision };
}

/** [head, key] of the row. */
async function rowOf({ view, sample, query }: Seen): Promise<Float32Array> {
  return cells(prepare({ view, batch: sample, of: 'prob' }), [query], 0, view.keys, 0);
}
