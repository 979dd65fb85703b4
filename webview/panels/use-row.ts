/** The probabilities of the row in focus, asked for when the focus rests. */
import { useEffect, useState } from 'preact/hooks';
import type { HeadRef } from '../../extension/contract/api.ts';
import { Cancelled } from '../../extension/contract/errors.ts';
import type { Store } from './store.ts';

export interface Row { readonly values?: Float32Array; readonly problem?: string }

/** [key]; NaN where the query does not see the key. */
export function useRow(store: Store, head: HeadRef, query: number | undefined, keys: number): Row {
  const [row, setRow] = useState<Row & { readonly query?: number }>({});
  useEffect(() => {
    if (query === undefined) return undefined;
    const stop = new AbortController(), wait = setTimeout(() => {
      store.host.tile({ ...head, rows: [query, query + 1], cols: [0, keys], height: 1, width: keys, of: 'prob', reduce: 'mean' }, { signal: stop.signal })
        .then(tile => setRow({ query, values: tile.data }), (error: unknown) => { if (!(error instanceof Cancelled)) setRow({ query, problem: error instanceof Error ? error.message : String(error) }); });
    }, 15);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [query, head.trace, head.site, head.head, head.batch]);
  return row.query === query ? row : {};
}
