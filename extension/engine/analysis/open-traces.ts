/** The traces that are open, by id: one file descriptor each, and the heads that were last looked at. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { HeadRef, OpenTrace } from '../../contract/api.ts';
import { UserError } from '../../contract/errors.ts';
import { prepare, type Chosen } from '../compute/rows.ts';
import { metricCards } from './measure-heads.ts';
import { openTrace, type TraceFile } from '../trace/open.ts';
import { viewSite, viewStoredSite, type SiteView } from '../trace/site-view.ts';

/** Keys of so many heads stay at hand: a screen asks for tiles of one head again and again. */
const mostHeads = 8;

interface Entry { readonly trace: TraceFile; readonly views: Map<string, SiteView>; readonly heads: Map<string, Chosen> }

export class OpenTraces {
  readonly #open = new Map<string, Entry>();

  /** Opens the file as it is now, whether it was opened before or not. */
  open(file: string): OpenTrace {
    const trace = openTrace(resolve(file)), id = randomUUID();
    this.#open.set(id, { trace, views: new Map(), heads: new Map() });
    const extents = Object.fromEntries(trace.manifest.sites.map(site => { const { queries, keys } = viewSite(trace.store, site); return [site.name, { queries, keys }]; }));
    return { trace: id, file: trace.file, bytes: trace.bytes, manifest: trace.manifest, metrics: metricCards, extents };
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

  #entry(id: string): Entry {
    const entry = this.#open.get(id);
    if (!entry) throw new UserError('This trace is no longer open.', 'Open it again.');
    return entry;
  }
}
