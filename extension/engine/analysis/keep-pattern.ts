/** Writes all probabilities of a site into its trace, because they were asked for. */
import { blockCells, cells, prepare } from '../compute/rows.ts';
import type { PartWriter } from '../trace/part-writer.ts';
import type { SiteView } from '../trace/site-view.ts';

/** hook_pattern [batch, head, query, key], float32. */
export async function keepPattern(view: SiteView, writer: PartWriter, between: () => Promise<void>): Promise<void> {
  const { batch, heads, queries, keys } = view, name = `${view.name}.hook_pattern`, step = Math.max(1, Math.floor(blockCells / keys));
  writer.reserve(name, 'F32', [batch, heads, queries, keys]);
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) {
    const chosen = prepare({ view, batch: b, head: h, of: 'prob' });
    for (let from = 0; from < queries; from += step) {
      const rows = Array.from({ length: Math.min(step, queries - from) }, (_, r) => from + r);
      writer.write(name, (((b * heads + h) * queries + from) * keys) * 4, await cells(chosen, rows, 0, keys, 0));
      await between();
    }
  }
}
