/** What a brushed span looks at, or gets: asked for when the hand rests. */
import { useEffect, useState } from 'preact/hooks';
import type { HeadRef } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import type { MapAxes } from '../marks/map-axes.ts';
import { sinkRequest } from '../marks/map-axes.ts';
import { spanRequest, type Span } from '../marks/span.ts';
import type { Store } from './store.ts';

/** `values`: a value a cell of the other axis. `sink`: what the key that stands apart has of a span of queries. */
export interface SpanMass { readonly values?: Float32Array; readonly sink?: number; readonly problem?: string }

const restMs = 60;

export function useSpan(store: Store, head: HeadRef, axes: MapAxes, span: Span | undefined): SpanMass {
  const [mass, setMass] = useState<SpanMass & { readonly of?: string }>({}), of = span && `${axes.id} ${head.trace} ${head.site} ${head.head} ${span.of} ${span.from} ${span.to}`;
  useEffect(() => {
    const end = span?.of === 'rows' ? axes.queries : axes.keys;
    if (!span || of === undefined || span.to > end) return undefined;
    const stop = new AbortController(), wait = setTimeout(() => {
      const apart = span.of === 'rows' && axes.sink ? store.host.tile({ ...sinkRequest(head, axes, axes.sink.key, [0, 1], 1), rows: [span.from, span.to], join: { rows: [span.from, span.to], cols: [axes.sink.key, axes.sink.key + 1] } }, { signal: stop.signal }) : undefined;
      Promise.all([store.host.tile(spanRequest(head, axes, span), { signal: stop.signal }), apart]).then(([{ data }, sink]) => setMass({ of, values: data, ...(sink ? { sink: sink.data[0] } : {}) }), (error: unknown) => {
        if (error instanceof Cancelled) return;
        if (error instanceof PeerGone) store.fail(error);
        setMass({ of, problem: error instanceof Error ? error.message : String(error) });
      });
    }, restMs);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [of]);
  return mass.of === of ? mass : {};
}
