/** Where the residual stream passes a site: what the block reads, what attention and the MLP add to it, what their norms give. */
import type { BlockValues } from '../../contract/site.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import { isLinear, type Projections } from './projections.ts';
import { activations, passes } from './walk.ts';

/** Nodes between W_O and the sum, or between a block's input and its projections: norms written out, windows put together. */
const farthest = 64;
/** Nodes of an MLP. */
const mostInside = 400;

const skips = new Set(['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization']);
const norms = new Set(['LayerNormalization', 'SimplifiedLayerNormalization', 'RMSNormalization']);

/** Values of the block around a site; null where the graph does not show them. Undefined where not even the first sum was found. */
export function blockOf(view: GraphView, { q, o }: Projections): BlockValues | undefined {
  if (!q || !o) return undefined;
  const before = ancestors(view, q.node.inputs[0]);
  let first = sumAfter(view, o.node.outputs[0]), attnOut = first?.added, mlpOut: string | undefined;
  // Parallel blocks: attention and MLP are added to each other first, and then to the stream.
  if (first && !before.has(first.other)) {
    const mlp = first.other, second = sumAfter(view, first.sum);
    if (!second || !before.has(second.other)) return undefined;
    mlpOut = mlp;
    first = { ...second, added: first.added };
  }
  if (!first || attnOut === undefined) return undefined;
  const residPre = uncast(view, first.other), normed = uncast(view, q.node.inputs[0]);
  const block = { residPre, ln1: normed === residPre ? null : normed, attnOut };
  if (mlpOut !== undefined) return { ...block, residMid: null, ln2: null, mlpOut, residPost: first.stream };
  const next = sumWith(view, first.stream), inside = next && firstLinear(view, first.stream, next.node);
  return { ...block, residMid: first.stream, ln2: inside === undefined || inside === first.stream ? null : inside, mlpOut: next?.added ?? null, residPost: next?.stream ?? null };
}

/** The value before casts: exporters cast the stream for a norm, or to the type that it has. */
function uncast(view: GraphView, value: string): string {
  let at = value;
  for (let node = view.producer(at), steps = 0; node && passes(node) && activations(view).has(node.inputs[0]) && steps < 8; node = view.producer(at), steps++) [at] = node.inputs;
  return at;
}

/** A sum that adds something to the residual stream. */
interface ResidualSum {
  readonly node: Node;
  /** What was followed, and what it was added to. */
  readonly added: string;
  readonly other: string;
  readonly sum: string;
  /** What the next part reads and adds to: the sum, or where norms come behind the sum, what that norm gives. */
  readonly stream: string;
}

/** The first sum of something that comes of `value` with something that does not. */
function sumAfter(view: GraphView, value: string): ResidualSum | undefined {
  const reached = new Set([value]), live = activations(view), queue = [value];
  for (let i = 0; i < queue.length && i < farthest; i++) {
    for (const node of view.consumers(queue[i])) {
      const adds = node.op === 'Add' && node.domain === '', skip = skips.has(node.op);
      if (adds || skip) {
        const [a, b] = node.inputs, other = reached.has(a) ? b : a, added = other === b ? a : b;
        if (live.has(other) && !reached.has(other) && sameSize(view, added, other)) return { node, added, other, ...streamAfter(view, node) };
      }
      if (node.op === 'Shape' || isLinear(view, node)) continue;
      for (const output of node.outputs) if (output && !reached.has(output)) { reached.add(output); queue.push(output); }
    }
  }
  return undefined;
}

/** The next sum that `stream` itself is a part of. */
function sumWith(view: GraphView, stream: string): ResidualSum | undefined {
  const live = activations(view), same = new Set([stream]), queue = [stream];
  for (let i = 0; i < queue.length && i < 8; i++) {
    for (const node of view.consumers(queue[i])) {
      if ((node.op === 'Add' && node.domain === '') || skips.has(node.op)) {
        const [a, b] = node.inputs, added = same.has(a) ? b : a;
        if (live.has(added) && !same.has(added) && sameSize(view, added, queue[i])) return { node, added, other: stream, ...streamAfter(view, node) };
      } else if (/^(Cast|Identity|Reshape|Dropout)$/.test(node.op) && node.inputs[0] === queue[i] && !same.has(node.outputs[0])) { same.add(node.outputs[0]); queue.push(node.outputs[0]); }
    }
  }
  return undefined;
}

/** Norms behind the sum: where a norm is all that reads the sum, the stream is what it gives. */
function streamAfter(view: GraphView, node: Node): { readonly sum: string; readonly stream: string } {
  if (skips.has(node.op)) { const sum = node.outputs[3] || ''; return { sum: sum || node.outputs[0], stream: sum && view.consumers(sum).length ? sum : node.outputs[0] }; }
  const [sum] = node.outputs, readers = view.consumers(sum);
  const norm = readers.length === 1 && norms.has(readers[0].op) && !view.graph.outputs.some(output => output.name === sum) && readers[0].inputs[0] === sum ? readers[0] : undefined;
  // A last norm before the head is not the stream: only where it is added to again, or the sum was of a block that goes on so.
  return { sum, stream: norm && sumWithin(view, norm.outputs[0]) ? norm.outputs[0] : sum };
}

/** Whether `value` is added to later, as a stream is. */
function sumWithin(view: GraphView, value: string): boolean { return view.consumers(value).some(node => (node.op === 'Add' && node.domain === '' && node.inputs.every(input => activations(view).has(input))) || skips.has(node.op)); }

/** What the first product with a weight behind the stream reads. */
function firstLinear(view: GraphView, stream: string, until: Node): string | undefined {
  const made = view.producer(stream), queue = made && skips.has(made.op) ? [stream, made.outputs[0]] : [stream], seen = new Set(queue);
  for (let i = 0; i < queue.length && i < mostInside; i++) for (const node of view.consumers(queue[i])) {
    if (node === until) continue;
    if (isLinear(view, node) && node.inputs[0] === queue[i]) return queue[i];
    for (const output of node.outputs) if (output && !seen.has(output)) { seen.add(output); queue.push(output); }
  }
  return undefined;
}

function sameSize(view: GraphView, a: string, b: string): boolean {
  const [x, y] = [view.dims(a)?.at(-1), view.dims(b)?.at(-1)];
  return x === undefined || y === undefined || x === y;
}

/** What `value` was computed from, a few dozen nodes back, itself among it. */
function ancestors(view: GraphView, value: string): Set<string> {
  const live = activations(view), seen = new Set<string>(), queue = [value];
  for (let i = 0; i < queue.length && seen.size < farthest; i++) {
    if (seen.has(queue[i]) || !live.has(queue[i])) continue;
    seen.add(queue[i]);
    const node = view.producer(queue[i]);
    if (node && node.op !== 'Shape') queue.push(...node.inputs);
    // The sum that a norm read gives beside what it normed.
    if (node && skips.has(node.op) && node.outputs[3]) seen.add(node.outputs[3]);
  }
  return seen;
}
