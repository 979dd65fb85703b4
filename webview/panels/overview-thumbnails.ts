/** Thumbnails of the sites on the screen, each asked for once for every state that was pulled: a new state may come from an engine that was restarted. */
import { signal, type Signal } from '@preact/signals';
import type { Thumbnails } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import type { Store } from './store.ts';

export interface Thumbs { readonly found?: Thumbnails; readonly problem?: string }

export class ThumbnailSource {
  readonly #store: Store;
  readonly #trace: string;
  readonly #sites: Map<string, Signal<Thumbs>>;
  readonly #asked = new Set<string>();
  readonly #stop = new AbortController();

  /** Shows what `before` found until there is better. */
  constructor(store: Store, trace: string, before: ThumbnailSource | undefined) {
    this.#store = store;
    this.#trace = trace;
    this.#sites = before ? before.#sites : new Map();
  }

  of(site: string): Signal<Thumbs> {
    let known = this.#sites.get(site);
    if (!known) this.#sites.set(site, known = signal({}));
    return known;
  }

  want(site: string): void {
    if (this.#asked.has(site)) return;
    this.#asked.add(site);
    const into = this.of(site);
    this.#store.host.thumbnails({ trace: this.#trace, site }, { signal: this.#stop.signal }).then(found => { into.value = { found }; }, (error: unknown) => {
      if (error instanceof Cancelled) return;
      if (error instanceof PeerGone) this.#store.fail(error);
      into.value = { ...into.value, problem: error instanceof Error ? error.message : String(error) };
    });
  }

  stop(): void { this.#stop.abort(); }
}
