/** The traces that are open, by id: one file descriptor each, and the heads that were last looked at. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { HeadRef, OpenTrace } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { siteGrid, type SiteGrid } from '../../contract/image-grid.ts';
import { prepare, type Chosen } from '../compute/rows.ts';
import { residualName } from '../../contract/site.ts';
import { hasImplied } from './implied.ts';
import { metricCards } from './measure-heads.ts';
import { openTrace, type TraceFile } from '../trace/open.ts';
import { viewSite, viewStoredSite, type SiteView } from '../trace/site-view.ts';

/** Keys of so many heads stay at hand: a screen asks for tiles of one head again and again. */
const mostHeads = 8;

interface Entry { readonly trace: TraceFile; readonly views: Map<string, SiteView>; readonly heads: Map<string, Chosen>; grids?: OpenTrace['grids'] }

export class OpenTraces {
  readonly #open = new Map<string, Entry>();

  /** Opens the file as it is now, whether it was opened before or not. */
  open(file: string): OpenTrace {
    const trace = openTrace(resolve(file)), id = randomUUID();
    this.#open.set(id, { trace, views: new Map(), heads: new Map() });
    const extents = Object.fromEntries(trace.manifest.sites.map(site => { const { queries, keys } = viewSite(trace.store, site); return [site.name, { queries, keys }]; }));
    return { trace: id, file: trace.file, bytes: trace.bytes, manifest: trace.manifest, metrics: metricCards, extents, grids: this.grids(id), streams: trace.manifest.sites.filter(site => trace.store.has(residualName(site))).map(({ name }) => name), implied: trace.manifest.sites.filter(site => hasImplied(viewSite(trace.store, site))).map(({ name }) => name) };
  }

  close(id: string): void {
    this.#open.get(id)?.trace.close();
    this.#open.delete(id);
  }

  trace(id: string): TraceFile { return this.#entry(id).trace; }

  view(id: string, name: string): SiteView {
    const entry = this.#entry(id);
    let view = entry.views.get(name);
    if (!view) {
      const site = entry.trace.manifest.sites.find(one => one.name === name);
      if (!site) throw new UserError(`${entry.trace.file} has no site ${name}.`, 'Choose another.');
      view = viewStoredSite(entry.trace.store, site, entry.trace.manifest.masks[name]);
      entry.views.set(name, view);
    }
    return view;
  }

  /** Keys and lse of a head, read at most once while it is among the last few. */
  prepared(ref: HeadRef): Chosen {
    const { heads } = this.#entry(ref.trace), key = `${ref.site} ${ref.batch} ${ref.head}`;
    const chosen = heads.get(key) ?? prepare({ view: this.view(ref.trace, ref.site), batch: ref.batch, head: ref.head, of: 'prob' });
    heads.delete(key);
    heads.set(key, chosen);
    if (heads.size > mostHeads) heads.delete(heads.keys().next().value!);
    return chosen;
  }

  /** A PNG of the input. Errors: `UserError` where the manifest names none so. */
  picture(id: string, name: string): Uint8Array {
    const { manifest, store, file } = this.#entry(id).trace;
    if (!manifest.input.images?.some(image => image.picture === name)) throw new UserError(`${file} has no picture ${name}.`, 'Trace the model again.');
    return store.raw(name);
  }

  /** Of the sites whose positions are patches. */
  grids(id: string): OpenTrace['grids'] {
    const entry = this.#entry(id);
    return entry.grids ??= this.#gridsOf(entry);
  }

  #gridsOf({ trace: { manifest, store } }: Entry): OpenTrace['grids'] {
    const image = manifest.input.images?.[0], grids: Record<string, SiteGrid> = {};
    if (!image || !(image.patches.rows > 0)) return grids;
    const vision = manifest.sites.some(site => site.stack === 'vision') ? 'vision' : 'main';
    if (vision === 'main' && image.tokens) return grids;
    for (const site of manifest.sites) {
      if (site.stack !== vision || site.kind !== 'self') continue;
      const { queries, keys, batch } = viewSite(store, site), bias = manifest.masks[site.name]?.bias;
      const samples = Math.max(1, Math.round(batch / manifest.input.images!.length)), shifted = bias != null && (store.tensors.get(bias)?.shape[0] ?? 1) > 1;
      const grid = siteGrid(image.patches, { queries, keys, samples, shifted });
      if (grid) grids[site.name] = grid;
    }
    return grids;
  }

  #entry(id: string): Entry {
    const entry = this.#open.get(id);
    if (!entry) throw new UserError('This trace is no longer open.', 'Open it again.');
    return entry;
  }
}
