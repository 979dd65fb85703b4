/** The int32 masks of onnxruntime's operators (lengths, ends and starts, or cells), written out as a mask over keys. */
import type { AddedGraph } from '../../onnx/graph-builder.ts';
import { dataType } from '../../onnx/model.ts';
import type { MaskTerm } from '../site-plan.ts';

/** Scores to which this or less is added are hidden. */
const hides = -1e4;
const { int64 } = dataType;

export interface KeyMask {
  /** int32: [batch] lengths; [2 · batch] ends, then starts; [3 · batch + 2] lengths first; [batch, key]; [batch, query, key]. */
  readonly value: string;
  /** Added to the scores of hidden keys (`mask_filter_value`). */
  readonly fill: number;
  /** [1] int64. */
  readonly batch: string; readonly keys: string;
}

/** [batch, 1, 1 or query, key]: booleans where hidden is hidden, otherwise what is added. `rank` is 1, 2 or 3. */
export function keyMask(graph: AddedGraph, { value, fill, batch, keys }: KeyMask, rank: 1 | 2 | 3): MaskTerm {
  const numbers = graph.cast(value, int64), cells = rank === 1 ? withinLengths(graph, numbers, batch, keys) : graph.node('Greater', [numbers, graph.ints(0)]);
  const shape = [undefined, 1, rank === 3 ? undefined : 1, undefined], keep = graph.tell(graph.unsqueeze(cells, rank === 3 ? [1] : [1, 2]), shape);
  if (fill <= hides) return { value: keep, as: 'keep' };
  return { value: graph.tell(graph.node('Where', [keep, graph.floats(0), graph.floats(fill)]), shape), as: 'add' };
}

/** [batch, key]: from the start (0 but where the mask is twice the batch) up to the end. */
function withinLengths(graph: AddedGraph, numbers: string, batch: string, keys: string): string {
  const ends = graph.slice(numbers, 0, 0, batch), twice = graph.node('Mul', [batch, graph.ints([2])]);
  const second = graph.slice(graph.concat([numbers, ends], 0), 0, batch, twice), starts = graph.node('Mul', [second, graph.cast(graph.node('Equal', [graph.shape(numbers), twice]), int64)]);
  const positions = graph.unsqueeze(graph.range(keys), [0]), column = (values: string): string => graph.unsqueeze(values, [1]);
  return graph.node('And', [graph.node('Less', [positions, column(ends)]), graph.node('Not', [graph.node('Less', [positions, column(starts)])])]);
}
