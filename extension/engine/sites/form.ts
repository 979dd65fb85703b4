/** Dense, windowed or reduced: what the way from the sequence to q and k shows of it. */
import type { SiteForm } from '../../contract/site.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import { projections } from './kind.ts';
import { attributeInt, dataDependent } from './walk.ts';

/** Nodes between q and the sequence that it is projected from; a few dozen with heads, rotary embedding and windows. */
const farthest = 80;

/** Of self attention; `q` and `k` are values before their scores. */
export function formOf(view: GraphView, q: string, k: string): SiteForm {
  const before = upstream(view, q);
  if (before.some(partitions)) return 'window';
  const strides = (nodes: readonly Node[]): number => nodes.reduce((product, node) => product * strideOf(view, node), 1);
  return strides(upstream(view, k)) > strides(before) ? 'reduced' : 'dense';
}

/** Of self attention that projects `input` itself. */
export function formOfInput(view: GraphView, input: string): SiteForm { return upstream(view, input, new Set()).some(partitions) ? 'window' : 'dense'; }

/** What a value was made by, through layout, projections and norms, up to the sum or product of two activations that ended the block before. */
function upstream(view: GraphView, value: string, projected: ReadonlySet<Node> = projections(view, value)): Node[] {
  const live = dataDependent(view), found: Node[] = [], seen = new Set<string>();
  // Heads, rotary embeddings and norms of heads may fork and join; what lies before the projections is one chain.
  const queue = projected.size ? [...projected].map(node => node.inputs[0]) : [value];
  for (let i = 0; i < queue.length && seen.size < farthest; i++) {
    if (seen.has(queue[i])) continue;
    seen.add(queue[i]);
    const node = view.producer(queue[i]), inputs = new Set(node?.inputs.filter(input => live.has(input)));
    if (!node || inputs.size > 1 && !glues.has(node.op)) continue;
    found.push(node);
    queue.push(...inputs);
  }
  return [...projected, ...found];
}

/** Cuts and joins, as rolling an image before its windows are cut. */
const glues = new Set(['Concat', 'Reshape', 'Slice', 'Expand']);

/** Rows and columns are cut into windows by exchanging axes of [batch, rows, height, columns, width, channels]. */
function partitions(node: Node): boolean {
  const perm = node.op === 'Transpose' ? node.attributes.get('perm')?.ints : undefined;
  return perm !== undefined && perm.length >= 6 && perm.some((axis, i) => axis !== i);
}

/** How many positions become one. */
function strideOf(view: GraphView, node: Node): number {
  if (node.op === 'Conv' || node.op === 'MaxPool' || node.op === 'AveragePool') return (node.attributes.get('strides')?.ints ?? []).reduce((product, stride) => product * Math.max(1, stride), 1);
  if (node.op === 'GlobalAveragePool' || node.op === 'Resize') return 2;
  // A step of positions, as in subsampled grids.
  if (node.op === 'Slice') return (view.integers(node.inputs[4] ?? '') ?? []).reduce<number>((product, step) => product * Math.max(1, Math.abs(step ?? 1)), 1);
  // Positions that lie side by side are averaged, or become channels (sr as a space-to-depth).
  return node.op === 'SpaceToDepth' ? attributeInt(node, 'blocksize', 1) ** 2 : 1;
}
