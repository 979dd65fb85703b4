/** W_Q, W_K, W_V and W_O of a site: which rows or columns of which initializer they are; no weight is read. */
import type { ProjectionWeights, Quantization, WeightPlace, WeightVector } from '../../contract/site.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import { axesOfLayout, extent, stepBack, type Axis, type Sizes, type State } from './axes-back.ts';
import type { Operand, SitePlan } from './site-plan.ts';
import { activations, attributeInt, passes } from './walk.ts';
import { withAdded } from './with-added.ts';

export interface Projection {
  readonly node: Node;
  readonly weights: WeightPlace;
}

export interface Projections { readonly q?: Projection; readonly k?: Projection; readonly v?: Projection; readonly o?: Projection }

/** Projections of one site, as far as they are products with initializers. */
export function projectionsOf(graph: GraphView, plan: SitePlan): Projections {
  const view = plan.added ? withAdded(graph, plan.added) : graph;
  const { heads, kvHeads, headDim, valueDim } = plan.site, kv = kvHeads ?? heads;
  const into = (operand: Operand | undefined, h: number | null, d: number | null): Projection | undefined => (operand && h && d ? projectionBehind(view, operand, { h, d }) : undefined);
  const found = { q: into(plan.q, heads, headDim), k: into(plan.k, kv, headDim), v: into(plan.v, kv, valueDim ?? headDim), o: plan.out && heads && (valueDim ?? headDim) ? projectionAfter(view, plan.out, { h: heads, d: (valueDim ?? headDim)! }) : undefined };
  return Object.fromEntries(Object.entries(found).filter(([, projection]) => projection)) as Projections;
}

/** For people and for whoever reads them. */
export function weightsOf({ q, k, v, o }: Projections): ProjectionWeights {
  return { q: q?.weights ?? null, k: k?.weights ?? null, v: v?.weights ?? null, o: o?.weights ?? null };
}

/** Steps that one operand may take: exporters need two or three dozen. */
const mostSteps = 240;
const deepest = 80;

function projectionBehind(view: GraphView, operand: Operand, sizes: Sizes): Projection | undefined {
  const budget = { steps: 0 }, path: Node[] = [];
  const walk = (state: State): Projection | undefined => {
    const node = view.producer(state.value);
    if (!node || ++budget.steps > mostSteps || path.length > deepest) return undefined;
    const last = state.axes[state.axes.length - 1], leading = state.axes.slice(0, -1);
    if (isLinear(view, node)) {
      // A product with a constant that is narrower than the operand made something else: the angles of a rotary embedding.
      if (!last?.terms.length || leading.some(axis => axis.terms.length || axis.base)) return undefined;
      return projection(view, node, { axis: last, side: 'columns', sizes, path });
    }
    path.push(node);
    for (const next of stepBack(view, node, state, sizes) ?? []) {
      const found = walk(next);
      if (!found) continue;
      path.pop();
      return node.op === 'Add' && !found.weights.bias ? withBias(view, found, node, next) : found;
    }
    path.pop();
    return undefined;
  };
  return walk({ value: operand.value, axes: axesOfLayout(operand.layout, sizes, operand.slice?.[0]) });
}

/** The product with W_O: the first with a weight that the output reaches through layout alone, whose rows are heads and dims in this order. */
function projectionAfter(view: GraphView, operand: Operand, sizes: Sizes): Projection | undefined {
  const wanted = axesOfLayout(operand.layout, sizes), queue = [operand.value], seen = new Set<string>();
  for (let i = 0; i < queue.length && i < 24; i++) {
    for (const node of view.consumers(queue[i])) {
      if (isLinear(view, node) && node.inputs[0] === queue[i]) {
        const axis: Axis = { terms: [{ atom: 'h', stride: sizes.d }, { atom: 'd', stride: 1 }], base: 0 };
        const found = leadsTo(view, queue[i], axis, { value: operand.value, axes: wanted, sizes }) ? projection(view, node, { axis, side: 'rows', sizes, path: [] }) : undefined;
        return found && !found.weights.bias ? withBiasAfter(view, found) : found;
      }
      if ((passes(node) || layouts.has(node.op)) && node.inputs[0] === queue[i] && !seen.has(node.outputs[0])) { seen.add(node.outputs[0]); queue.push(node.outputs[0]); }
    }
  }
  return undefined;
}

const layouts = new Set(['Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Flatten', 'Mul', 'QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear']);

/** Whether the last axis of `from`, read as heads and dims, is the wanted value's heads and dims. */
function leadsTo(view: GraphView, from: string, axis: Axis, wanted: State & { readonly sizes: Sizes }): boolean {
  let state: State = { value: from, axes: [...new Array<Axis>((view.dims(from)?.length ?? 3) - 1).fill({ terms: [], base: 0, batch: 1 }), axis] };
  for (let steps = 0; steps < 24 && state.value !== wanted.value; steps++) {
    const node = view.producer(state.value), next = node && stepBack(view, node, state, wanted.sizes)?.[0];
    if (!next) return false;
    state = next;
  }
  const terms = (axes: readonly Axis[]): string => JSON.stringify(axes.map(each => [each.terms, each.base]));
  return state.value === wanted.value && terms(state.axes) === terms(wanted.axes);
}

const linear = new Set(['MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm', 'MatMulNBits', 'MatMulInteger']);

/** A product of an activation with a weight. */
export function isLinear(view: GraphView, node: Node): boolean {
  const live = activations(view);
  return linear.has(node.op) && live.has(node.inputs[0]) && !live.has(node.inputs[1]);
}

interface Side { readonly axis: Axis; readonly side: 'columns' | 'rows'; readonly sizes: Sizes; readonly path: readonly Node[] }

function projection(view: GraphView, node: Node, { axis, side, sizes, path }: Side): Projection | undefined {
  const at = placesOf(axis, sizes), transposed = attributeInt(node, 'transB', 0) === 1;
  if (!at) return undefined;
  if (node.op === 'MatMulNBits') {
    const [rows, columns, bits, blockSize] = [attributeInt(node, 'K', 0), attributeInt(node, 'N', 0), attributeInt(node, 'bits', 4), attributeInt(node, 'block_size', 0)];
    if (node.inputs[4] || (bits !== 4 && bits !== 8 && bits !== 2) || !rows || !columns || blockSize < 16) return undefined;
    return checked(node, side, { rows, columns }, { tensor: node.inputs[1], axis: side === 'columns' ? 0 : 1, at, sizes, axisSizes: sizes, bias: vector(view, node.inputs[5], at), quantization: { kind: 'blocks', scales: node.inputs[2], zeroPoints: node.inputs[3] || null, bits, blockSize } }, axis);
  }
  const found = initializerOf(view, node.inputs[1]), dims = found && view.graph.initializers.get(found.tensor)?.dims;
  if (!found || dims?.length !== 2) return undefined;
  const swapped = found.transposed !== transposed, [rows, columns] = swapped ? [dims[1], dims[0]] : dims;
  const integer = node.op === 'MatMulInteger' ? integerScale(view, node, path, side) : undefined;
  if (node.op === 'MatMulInteger' && !integer) return undefined;
  const quantization = integer ?? found.quantization;
  const bias = node.op === 'Gemm' && side === 'columns' ? vector(view, node.inputs[2], at) : node.op === 'Gemm' ? vector(view, node.inputs[2], undefined) : null;
  return checked(node, side, { rows, columns }, { tensor: found.tensor, axis: (side === 'columns') !== swapped ? 1 : 0, at, sizes, axisSizes: sizes, bias, quantization: quantization ?? null }, axis);
}

interface Draft { readonly tensor: string; readonly axis: 0 | 1; readonly at: WeightPlace['at']; readonly sizes: Sizes; readonly axisSizes: Sizes; readonly bias: WeightVector | null; readonly quantization: Quantization | null }

/** Undefined where the heads do not fit into the weight's size. */
function checked(node: Node, side: 'columns' | 'rows', { rows, columns }: { readonly rows: number; readonly columns: number }, { sizes, tensor, axis, at, bias, quantization }: Draft, of: Axis): Projection | undefined {
  const own = side === 'columns' ? columns : rows, width = side === 'columns' ? rows : columns;
  if (extent(of, sizes) > own) return undefined;
  return { node, weights: { reads: node.inputs[0], tensor, axis, at, heads: sizes.h, dim: sizes.d, width, bias, quantization } };
}

/** Index of head h and dim d: at[0] + h · at[1] + d · at[2]. */
function placesOf({ terms, base, batch }: Axis, sizes: Sizes): WeightPlace['at'] | undefined {
  const h = terms.filter(term => term.atom === 'h'), d = terms.filter(term => term.atom === 'd');
  if (batch !== undefined || d.length > 1 || h.length > 1 || (!d.length && sizes.d > 1) || (!h.length && sizes.h > 1)) return undefined;
  return [base, h[0]?.stride ?? sizes.d, d[0]?.stride ?? 1];
}

/** A bias that is added behind the product, cut in the same way. */
function withBias(view: GraphView, found: Projection, node: Node, { value, axes }: State): Projection {
  const other = node.inputs.find(input => input !== value), last = axes[axes.length - 1], sizes = { h: found.weights.heads, d: found.weights.dim };
  const at = last && axes.slice(0, -1).every(axis => !axis.terms.length) ? placesOf(last, sizes) : undefined;
  const bias = other === undefined || activations(view).has(other) || !at ? null : vector(view, other, at);
  return bias ? { ...found, weights: { ...found.weights, bias } } : found;
}

/** The bias of W_O: added to what the product gives, perhaps behind a reshape or a cast. */
function withBiasAfter(view: GraphView, found: Projection): Projection {
  let value = found.node.outputs[0];
  for (let steps = 0; steps < 4; steps++) {
    const readers: readonly Node[] = view.consumers(value), [node] = readers;
    if (readers.length !== 1) break;
    if (node.op === 'Add') {
      const bias = vector(view, node.inputs[node.inputs[0] === value ? 1 : 0], undefined), size = bias && view.graph.initializers.get(bias.tensor)?.dims.reduce((a, b) => a * b, 1);
      return bias && size === found.weights.width ? { ...found, weights: { ...found.weights, bias } } : found;
    }
    if (!passes(node) && node.op !== 'Reshape') break;
    [value] = node.outputs;
  }
  return found;
}

/** A vector among the initializers; `at` undefined: all of it, as the bias of W_O. */
export function vector(view: GraphView, value: string | undefined, at: WeightPlace['at'] | undefined): WeightVector | null {
  const found = value ? initializerOf(view, value) : undefined, dims = found && view.graph.initializers.get(found.tensor)?.dims;
  if (!found || !dims || dims.filter(dim => dim !== 1).length > 1 || found.quantization) return null;
  return { tensor: found.tensor, at: at ?? null };
}

interface Initializer { readonly tensor: string; readonly transposed: boolean; readonly quantization: Quantization | undefined }

/** The initializer behind a transpose, a cast, a dequantization. */
function initializerOf(view: GraphView, value: string): Initializer | undefined {
  let at = value, transposed = false, quantization: Quantization | undefined;
  for (let steps = 0; steps < 8; steps++) {
    if (view.graph.initializers.has(at)) return { tensor: at, transposed, quantization };
    const node = view.producer(at);
    if (!node) return undefined;
    if (passes(node)) { at = node.inputs[0]; continue; }
    const perm = node.attributes.get('perm')?.ints;
    if (node.op === 'Transpose' && !quantization && (!perm || perm.join() === '1,0')) { transposed = !transposed; at = node.inputs[0]; continue; }
    if (node.op === 'DequantizeLinear' && !quantization && view.graph.initializers.has(node.inputs[0]) && view.graph.initializers.has(node.inputs[1]) && (!node.inputs[2] || view.graph.initializers.has(node.inputs[2]))) {
      quantization = { kind: 'linear', scales: node.inputs[1], zeroPoints: node.inputs[2] || null, axis: attributeInt(node, 'axis', 1), blockSize: attributeInt(node, 'block_size', 0) };
      at = node.inputs[0];
      continue;
    }
    return undefined;
  }
  return undefined;
}

/** The scale of an int8 weight: a factor of what the integer product is multiplied with, beside the scale of the activation. */
function integerScale(view: GraphView, node: Node, path: readonly Node[], side: 'columns' | 'rows'): Quantization | undefined {
  const after = side === 'columns' ? path.toReversed() : follow(view, node.outputs[0]);
  for (const each of after.slice(0, 4)) {
    if (each.op !== 'Mul') continue;
    for (const input of each.inputs) {
      const product = view.producer(input), scales = product?.op === 'Mul' ? product.inputs.find(name => view.graph.initializers.has(name)) : undefined;
      if (scales !== undefined) return { kind: 'linear', scales, zeroPoints: node.inputs[3] || null, axis: 1, blockSize: 0 };
    }
  }
  return undefined;
}

function follow(view: GraphView, value: string): Node[] {
  const nodes: Node[] = [];
  for (let at = view.consumers(value)[0]; at && nodes.length < 4; at = view.consumers(at.outputs[0])[0]) nodes.push(at);
  return nodes;
}
