/** The row in focus and the key that stands apart, asked for when focus and map rest. */
import { useEffect, useState } from 'preact/hooks';
import type { HeadRef } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import { joinRow } from '../marks/bands.ts';
import { sinkRequest, type MapAxes } from '../marks/map-axes.ts';
import { percent } from '../marks/scale.ts';
import { visible, type Size, type View } from '../marks/view.ts';
import type { SinkColumn } from '../paint/bars.ts';
import type { Store } from './store.ts';

/** [cell of the columns]; NaN where the row does not see it. `scores`: before the softmax, of single tokens, where the trace can give them. `sink`: what the key that stands apart has. */
export interface Row { readonly values?: Float32Array; readonly scores?: Float32Array; readonly sink?: number; readonly problem?: string }

/** `cell`: of the rows. */
export function useRow(store: Store, head: HeadRef, axes: MapAxes, cell: number | undefined): Row {
  const [row, setRow] = useState<Row & { readonly of?: string }>({}), of = cell === undefined ? undefined : `${axes.id} ${head.trace} ${head.site} ${head.head} ${cell}`;
  useEffect(() => {
    if (cell === undefined || of === undefined || cell >= axes.rows.count) return undefined;
    const rows = [axes.rows.from[cell], axes.rows.to[cell]] as const, height = rows[1] - rows[0];
    const stop = new AbortController(), wait = setTimeout(() => {
      const ask = (kind: 'prob' | 'score' | 'implied') => store.host.tile({ ...head, rows, cols: [0, axes.keys], height, width: axes.keys, of: kind, reduce: 'mean' }, { signal: stop.signal });
      ask(axes.of).then(async ({ data }) => {
        const single = axes.cols.plain && height === 1 && !axes.without.length, values = single ? data : joinRow(data, axes.keys, axes.cols, axes.without);
        const sink = axes.sink ? joinRow(data, axes.keys, { count: 1, plain: false, from: Int32Array.of(axes.sink.key), to: Int32Array.of(axes.sink.key + 1) }, [])[0] : undefined, found = { of, values, ...(sink === undefined ? {} : { sink }) };
        setRow(found);
        if (axes.words || height > 1 || axes.of === 'implied') return;
        const scores = await ask('score').then(tile => (single ? tile.data : Float32Array.from(axes.cols.from, key => tile.data[key])), () => undefined);
        if (scores && !stop.signal.aborted) setRow({ ...found, scores });
      }, (error: unknown) => {
        if (error instanceof Cancelled) return;
        if (error instanceof PeerGone) store.fail(error);
        setRow({ of, problem: error instanceof Error ? error.message : String(error) });
      });
    }, 15);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [of]);
  return row.of === of ? row : {};
}

/** The shares of the key that stands apart, of the rows in sight; the last ones until there are new ones. */
export function useSinkColumn(store: Store, head: HeadRef, axes: MapAxes, view: View | undefined, size: Size): SinkColumn | undefined {
  const [column, setColumn] = useState<SinkColumn & { readonly id: string } | undefined>(), key = axes.sink?.key;
  const rows = view && visible(view, { rows: axes.rows.count, cols: 1 }, size).rows;
  useEffect(() => {
    if (key === undefined || !axes.sink || !rows || rows[0] >= rows[1]) return undefined;
    const { token, share } = axes.sink, stop = new AbortController(), wait = setTimeout(() => {
      store.host.tile(sinkRequest(head, axes, key, rows, Math.min(rows[1] - rows[0], Math.max(1, Math.ceil(size.height)))), { signal: stop.signal })
        .then(({ data }) => setColumn({ id: axes.id, first: rows[0], last: rows[1], values: data, title: `${percent(share)} ${token}` }), (error: unknown) => { if (error instanceof PeerGone) store.fail(error); });
    }, 20);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [axes.id, head.trace, head.site, head.head, rows?.[0], rows?.[1], Math.ceil(size.height)]);
  return column?.id === axes.id && key !== undefined ? column : undefined;
}
