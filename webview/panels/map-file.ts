/** The table of a map, with every value exact: asked of the engine cell by cell, not taken from what is painted. */
import type { HeadRef } from '../../extension/contract/api.ts';
import { UserError } from '../../extension/contract/errors.ts';
import { tileRequest, sinkRequest, type MapAxes } from '../marks/map-axes.ts';
import { mostTableCells, tableText } from '../marks/table.ts';
import type { Store } from './store.ts';

/** Rows [r0, r1) and columns [c0, c1) of the map; a key that stands apart is the first column. Errors: UserError where nobody could open the table. */
export async function mapTable(store: Store, head: HeadRef, axes: MapAxes, title: string, [r0, r1]: readonly [number, number], [c0, c1]: readonly [number, number]): Promise<Uint8Array> {
  const rows = r1 - r0, cols = c1 - c0;
  if (rows * cols > mostTableCells) throw new UserError(`A table of ${rows.toLocaleString('en')} × ${cols.toLocaleString('en')} cells is too large; the limit is ${mostTableCells.toLocaleString('en')}.`, 'Zoom in and export what is visible, or export the pattern as safetensors.');
  const { data } = await store.host.tile(tileRequest(head, axes, [r0, r1], [c0, c1], { height: rows, width: cols }, 'max'));
  const sink = axes.sink ? (await store.host.tile(sinkRequest(head, axes, axes.sink.key, [r0, r1], rows))).data : undefined, wide = cols + (sink ? 1 : 0), all = sink ? new Float32Array(rows * wide) : data;
  if (sink) for (let i = 0; i < rows; i++) { all[i * wide] = sink[i]; all.set(data.subarray(i * cols, (i + 1) * cols), i * wide + 1); }
  const labels = (from: number, to: number, first: Int32Array, name: (cell: number) => string): string[] => Array.from({ length: to - from }, (_, i) => { const text = name(from + i); return text.startsWith('#') ? String(first[from + i]) : `${first[from + i]} ${text}`; });
  return new TextEncoder().encode(tableText({
    title, rows: labels(r0, r1, axes.rows.from, axes.rowLabel), cols: [...(axes.sink ? [`${axes.sink.key} ${axes.sink.token} (apart)`] : []), ...labels(c0, c1, axes.cols.from, axes.colLabel)], data: all,
  }));
}
