/** The probabilities of the row in focus, asked for when the focus rests. */
import { useEffect, useState } from 'preact/hooks';
import type { HeadRef } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import type { Store } from './store.ts';

/** `scores`: before the softmax, where the trace can give them. */
export interface Row { readonly values?: Float32Array; readonly scores?: Float32Array; readonly problem?: string }

/** Both [key]; NaN where the query does not see the key. */
export function useRow(store: Store, head: HeadRef, query: number | undefined, keys: number): Row {
  const [row, setRow] = useState<Row & { readonly query?: number }>({});
  useEffect(() => {
    if (query === undefined) return undefined;
    const stop = new AbortController(), wait = setTimeout(() => {
      const ask = (of: 'prob' | 'score') => store.host.tile({ ...head, rows: [query, query + 1], cols: [0, keys], height: 1, width: keys, of, reduce: 'mean' }, { signal: stop.signal });
      ask('prob').then(async ({ data }) => {
        setRow({ query, values: data });
        const scores = await ask('score').then(tile => tile.data, () => undefined);
        if (scores && !stop.signal.aborted) setRow({ query, values: data, scores });
      }, (error: unknown) => {
        if (error instanceof Cancelled) return;
        if (error instanceof PeerGone) store.fail(error);
        setRow({ query, problem: error instanceof Error ? error.message : String(error) });
      });
    }, 15);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [query, head.trace, head.site, head.head, head.batch]);
  return row.query === query ? row : {};
}
