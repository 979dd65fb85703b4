/** Brings a value of any layout into the order that a trace stores, with as few copies as the layout allows. */
import { dataType } from '../../onnx/model.ts';
import type { Operand, SitePlan } from '../../sites/site-plan.ts';
import type { TapGraph } from './tap-graph.ts';

type Order = 'b s h d' | 'b h s d';
const float = dataType.float;

/** `operand` as float32 [batch, position, head, dim] or [batch, head, position, dim]. */
export function canonical(graph: TapGraph, operand: Operand, order: Order): string {
  const { at, value } = opened(graph, operand);
  const perm = permutation[at][order];
  return perm ? graph.transpose(value, perm) : value;
}

/** float32 with four axes, in one of three orders. */
function opened(graph: TapGraph, operand: Operand): { readonly at: 'b h s d' | 'b s h d' | 'b h d s'; readonly value: string } {
  const { layout, slice } = operand, heads = operand.heads ?? 1;
  let value = operand.value;
  if (slice) value = graph.slice(value, rank(layout) - 1, slice[0], slice[1]);
  value = graph.cast(value, float);
  switch (layout) {
    case 'b h s d': case 'b s h d': case 'b h d s': return { at: layout, value };
    case 's b h d': return { at: 'b s h d', value: graph.transpose(value, [1, 0, 2, 3]) };
    case 'b s (h d)': return { at: 'b s h d', value: graph.reshape(value, [0, 0, heads, -1]) };
    case '(b h) s d': return { at: 'b h s d', value: splitBatch(graph, value, heads) };
    case '(b h) d s': return { at: 'b h d s', value: splitBatch(graph, value, heads) };
    case 'h s d': return { at: 'b h s d', value: graph.unsqueeze(value, [0]) };
    case 'h d s': return { at: 'b h d s', value: graph.unsqueeze(value, [0]) };
    case 's h d': return { at: 'b s h d', value: graph.unsqueeze(value, [0]) };
    case 's (h d)': return { at: 'b s h d', value: graph.unsqueeze(graph.reshape(value, [0, heads, -1]), [0]) };
    case 'b s d': return { at: 'b h s d', value: graph.unsqueeze(value, [1]) };
    case 'b d s': return { at: 'b h d s', value: graph.unsqueeze(value, [1]) };
  }
}

const permutation: Readonly<Record<'b h s d' | 'b s h d' | 'b h d s', Readonly<Record<Order, readonly number[] | undefined>>>> = {
  'b h s d': { 'b s h d': [0, 2, 1, 3], 'b h s d': undefined },
  'b s h d': { 'b s h d': undefined, 'b h s d': [0, 2, 1, 3] },
  'b h d s': { 'b s h d': [0, 3, 1, 2], 'b h s d': [0, 1, 3, 2] },
};

function rank(layout: string): number { return layout.replace(/\([^)]*\)/g, 'x').split(' ').length; }

/** [(b h), x, y] → [b, h, x, y] without a copy. */
export function splitBatch(graph: TapGraph, value: string, heads: number): string {
  return graph.reshape(value, graph.concat([graph.ints([-1, heads]), graph.slice(graph.shape(value), 0, 1, 3)], 0));
}

/** A value with the softmax's layout as [batch, head, query, key], in its own type and without a copy. */
export function asMatrix(graph: TapGraph, value: string, layout: NonNullable<SitePlan['softmax']>['layout'], heads: number | null): string {
  switch (layout) {
    case 'b h q k': return value;
    case '(b h) q k': return splitBatch(graph, value, heads ?? 1);
    case 'h q k': return graph.unsqueeze(value, [0]);
    case 'b q k': return graph.unsqueeze(value, [1]);
    case 'b k q': return graph.unsqueeze(graph.transpose(value, [0, 2, 1]), [1]);
    case 'b k': return graph.unsqueeze(value, [1, 2]);
  }
}
