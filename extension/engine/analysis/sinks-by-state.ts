/** Sinks of a language model by its residual stream, where a trace keeps it: tokens whose state is massive in the sink dimensions that the trace itself shows. */
import { residualName, type Site } from '../../contract/site.ts';
import { sinkDimensions, sinkThreshold, sinkValues } from '../maths/sink-dimensions.ts';
import type { SiteView } from '../trace/site-view.ts';
import type { TensorStore } from '../trace/tensor-store.ts';
import { countVisible } from '../trace/visibility.ts';

/** `dims` is empty where no dimension is massive; then nothing is a sink. */
export interface StateSinks { readonly dims: readonly number[]; readonly threshold: number; /** 1 where a position is a sink, by site; undefined for layers whose stream is not there. */ of(site: Site): Uint8Array | undefined }

/** `views`: of the sites that attend among the tokens, every layer. `ordinary`: 1 for real tokens of text. */
export interface Streams { readonly store: TensorStore; readonly views: readonly SiteView[]; readonly batch: number; readonly ordinary: Uint8Array }

/** A token is a sink by its attention when the rows that see it give it more than this on average (Gu 2024); keys that fewer rows see are not asked. */
const importance = 0.3, fewestRows = 8;

/** Undefined where no stream of these sites is stored. */
export async function sinksByState({ store, views, batch, ordinary }: Streams, between: () => Promise<void>): Promise<StateSinks | undefined> {
  const kept = views.filter(({ site }) => fits(store, site, ordinary.length, batch)), middle = kept.slice(Math.floor(kept.length / 3), Math.max(Math.floor(kept.length / 3) + 1, Math.ceil(2 * kept.length / 3)));
  if (!kept.length) return undefined;
  const width = store.info(residualName(kept[0].site)).shape[2], alike = middle.filter(({ site }) => store.info(residualName(site)).shape[2] === width), kinds = alike.map(view => kindsOf(view, batch, ordinary));
  await between();
  const dims = sinkDimensions(function* layers() { for (const [n, { site }] of alike.entries()) yield { hidden: stream(store, site, batch), kinds: kinds[n] }; }, width), threshold = sinkThreshold(width), known = new Map<string, Uint8Array>();
  await between();
  return {
    dims, threshold,
    of: site => {
      if (!kept.some(view => view.site === site)) return undefined;
      const name = residualName(site), sinks = known.get(name) ?? Uint8Array.from(dims.length ? sinkValues(stream(store, site, batch), width, dims) : ordinary.map(() => 0), value => (value > threshold ? 1 : 0));
      known.set(name, sinks);
      return sinks;
    },
  };
}

/** [batch, position, width], as many positions as there are tokens. */
function fits(store: TensorStore, site: Site, positions: number, batch: number): boolean {
  const shape = store.has(residualName(site)) ? store.info(residualName(site)).shape : [];
  return shape.length === 3 && shape[0] > batch && shape[1] === positions && shape[2] > 0;
}

function stream(store: TensorStore, site: Site, batch: number): Float32Array {
  const name = residualName(site), [, positions, width] = store.info(name).shape;
  return store.floats(name, batch * positions * width, positions * width);
}

/** The first token and those that are sinks by their attention, 1; ordinary text, 2. */
function kindsOf({ store, name, heads, keys, visibility }: SiteView, batch: number, ordinary: Uint8Array): Uint8Array {
  const kinds = ordinary.map(one => (one ? 2 : 0)), first = ordinary.indexOf(1), tensor = `${name}.stats.received`;
  if (first >= 0) kinds[first] = 1;
  if (!store.has(tensor)) return kinds;
  const received = store.floats(tensor, batch * heads * keys, heads * keys), { seeing } = countVisible(visibility, batch, 0, () => true);
  for (let j = 0; j < Math.min(keys, kinds.length); j++) {
    let sum = 0;
    for (let h = 0; h < heads; h++) sum += received[h * keys + j];
    if (seeing[j] >= fewestRows && sum / heads / seeing[j] > importance) kinds[j] = 1;
  }
  return kinds;
}
