/** The row in focus in both traces, asked for when the focus rests. */
import { useEffect, useState } from 'preact/hooks';
import type { HeadRef } from '../../extension/contract/api.ts';
import { Cancelled } from '../../extension/contract/errors.ts';
import type { CompareStore } from './compare-store.ts';

/** Both [key]; NaN where the query does not see the key. */
export interface Rows { readonly a?: Float32Array; readonly b?: Float32Array; readonly problem?: string }

export function useRows(store: CompareStore, of: Omit<HeadRef, 'trace'> & { readonly a: string; readonly b: string }, query: number | undefined, keys: number): Rows {
  const [rows, setRows] = useState<Rows & { readonly query?: number }>({});
  useEffect(() => {
    if (query === undefined) return undefined;
    const stop = new AbortController(), { a, b, ...head } = of, wait = setTimeout(() => {
      const ask = (trace: string) => store.host.tile({ ...head, trace, rows: [query, query + 1], cols: [0, keys], height: 1, width: keys, of: 'prob', reduce: 'mean' }, { signal: stop.signal });
      Promise.all([ask(a), ask(b)]).then(tiles => { if (!stop.signal.aborted) setRows({ query, a: tiles[0].data, b: tiles[1].data }); }, (error: unknown) => {
        if (!(error instanceof Cancelled)) setRows({ query, problem: error instanceof Error ? error.message : String(error) });
      });
    }, 15);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [query, of.a, of.b, of.site, of.head, of.batch]);
  return rows.query === query ? rows : {};
}
