/** What onnxruntime's grouped attention operators share: packed or separate inputs, rotary embedding inside, keys and values in the present. */
import { AddedGraph } from '../onnx/graph-builder.ts';
import { dataType, type GraphView, type Node } from '../onnx/model.ts';
import type { Tracked } from './operands.ts';
import type { Operand, ScaleFactor } from './site-plan.ts';
import { attributeFloat, attributeInt } from './walk.ts';

export interface GroupedInputs {
  readonly node: Node;
  readonly heads: number; readonly kvHeads: number;
  /** Names of inputs, '' where there is none; packed where `key` is ''. */
  readonly query: string; readonly key: string; readonly value: string; readonly pastKey: string; readonly cos: string; readonly sin: string;
  readonly presentKey: string; readonly presentValue: string;
  /** One number: keys of the longest sample. */
  readonly total: string;
  /** int64 [batch, position]; `total` as int64 [1]. */
  positions(graph: AddedGraph, total: string): string;
}

export interface GroupedOperands {
  readonly graph: AddedGraph;
  /** int64 [1] */
  readonly total: string;
  readonly q: Tracked; readonly k: Tracked; readonly v: Tracked;
  readonly headDim: number | undefined;
  readonly scale: readonly ScaleFactor[];
}

/** Why these numbers of heads cannot be; undefined where they can. */
export function wrongHeads(heads: number, kvHeads: number): string | undefined {
  return heads > 0 && kvHeads > 0 && heads <= 2 ** 16 && heads % kvHeads === 0 ? undefined : `Its ${kvHeads} key/value heads do not divide its ${heads} query heads.`;
}

/** Width of the cosines, which the rotation needs to know; undefined where the graph does not say. */
export function rotatedWidth(view: GraphView, cos: string): number | undefined { const columns = view.dims(cos)?.[1]; return columns === undefined ? undefined : 2 * columns; }

/** q after its rotation, and the keys and values that it meets. */
export function groupedOperands(view: GraphView, of: GroupedInputs): GroupedOperands {
  const { node, heads, kvHeads, query, key, value, presentKey, presentValue } = of, packed = key === '', rotary = attributeInt(node, 'do_rotary', 0) === 1, headDim = headSize(view, of);
  const graph = new AddedGraph(view.model.opsets.get('') ?? 1), total = graph.cast(graph.reshape(of.total, [1]), dataType.int64), all = heads + 2 * kvHeads;
  const four = (from: string, count: number, start = 0, end = count): string => {
    const split = graph.reshape(from, [0, 0, count, -1]);
    return end - start === count ? split : graph.slice(split, 2, start, end);
  };
  const rotate = (from: string): string => (rotary ? rotation(graph, view, of, headDim, from, of.positions(graph, total)) : from);
  const operand = (from: string, layout: Operand['layout'], count: number): Tracked => ({ operand: { value: from, layout, heads: count }, factors: [], heads: count, dim: headDim, nodes: [], repeated: false });
  const q = rotary || packed ? operand(rotate(four(query, packed ? all : heads, 0, heads)), 'b s h d', heads) : operand(query, 'b s (h d)', heads);
  // What the operator itself hands on is what it attends to: rotated, behind the past; a buffer may be longer than what is in it.
  const present = (from: string): Tracked => operand(graph.slice(from, 2, 0, total), 'b h s d', kvHeads);
  const k = presentKey ? present(presentKey) : operand(rotate(packed ? four(query, all, heads, heads + kvHeads) : four(key, kvHeads)), 'b s h d', kvHeads);
  const v = presentValue ? present(presentValue) : operand(packed ? four(query, all, heads + kvHeads, all) : four(value, kvHeads), 'b s h d', kvHeads);
  const given = attributeFloat(node, 'scale', 0);
  const scale: ScaleFactor[] = given !== 0 ? [{ constant: given, power: 1 }] : headDim !== undefined ? [{ constant: 1 / Math.sqrt(headDim), power: 1 }]
    : [{ value: graph.node('Sqrt', [graph.cast(graph.dim(four(query, packed ? all : heads), 3), dataType.float)]), power: -1 }];
  return { graph, total, q, k, v, headDim, scale };
}

/** Size of a head, from whichever shape says it. */
function headSize(view: GraphView, { node, heads, kvHeads, query, key, pastKey, presentKey }: GroupedInputs): number | undefined {
  const width = view.dims(query)?.[2], keyWidth = key ? view.dims(key)?.[2] : undefined;
  const fromWidth = width !== undefined ? width / (key ? heads : heads + 2 * kvHeads) : keyWidth !== undefined ? keyWidth / kvHeads : undefined;
  const output = view.dims(node.outputs[0])?.[2];
  const found = fromWidth ?? (pastKey ? view.dims(pastKey)?.[3] : undefined) ?? (presentKey ? view.dims(presentKey)?.[3] : undefined) ?? (output === undefined ? undefined : output / heads);
  return Number.isInteger(found) ? found : undefined;
}

/** `from` [batch, position, head, dim], rotated by the runtime's own kernel: the same bits as inside the operator. */
function rotation(graph: AddedGraph, view: GraphView, { node, heads, cos, sin }: GroupedInputs, headDim: number | undefined, from: string, positions: string): string {
  const width = rotatedWidth(view, cos)!, part: Record<string, number> = width === headDim ? {} : { rotary_embedding_dim: width, num_heads: heads };
  const turned = graph.node('RotaryEmbedding', [graph.transpose(from, [0, 2, 1, 3]), positions, cos, sin], { interleaved: attributeInt(node, 'rotary_interleaved', 0) === 1 ? 1 : 0, ...part }, 'com.microsoft');
  return graph.transpose(turned, [0, 2, 1, 3]);
}

/**
 * Places of the tokens, as the kernels take them: of a prompt, from 0 or the very first of the `given` positions on, in every sample; of what continues
 * a past, the given ones, or those that end at the sample's last place (`ends`, int64 [batch]).
 */
export function placesOfTokens(graph: AddedGraph, query: string, ends: string, total: string, given = ''): string {
  const tokens = graph.dim(query, 1), steps = graph.unsqueeze(graph.range(tokens), [0]), all = graph.node('Expand', [steps, graph.concat([graph.dim(query, 0), tokens], 0)]);
  const first = given ? graph.node('Add', [all, graph.slice(graph.reshape(given, [-1]), 0, 0, 1)]) : all;
  const later = given || graph.node('Add', [graph.node('Sub', [graph.unsqueeze(ends, [1]), graph.node('Sub', [tokens, graph.ints([1])])]), steps]);
  return graph.node('Where', [graph.node('Equal', [tokens, total]), first, later]);
}

/** A value of lengths of any integer type as int64 [batch]. */
export function lengthsOf(graph: AddedGraph, value: string): string { return graph.cast(graph.reshape(value, [-1]), dataType.int64); }
