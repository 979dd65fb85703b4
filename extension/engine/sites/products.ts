/** Products of two activations, as MatMul or Einsum write them, and which axis of each side is what. */
import type { GraphView, Node } from '../onnx/model.ts';
import { axesOf, type Axes } from './operands.ts';
import { activations, attributeFloat, attributeInt } from './walk.ts';

/** The product of two activations. */
export function isProduct(view: GraphView, node: Node): boolean {
  const live = activations(view);
  const product = node.domain === '' ? node.op === 'MatMul' || (node.op === 'Einsum' && node.inputs.length === 2) : node.op === 'FusedMatMul';
  return product && live.has(node.inputs[0]) && live.has(node.inputs[1]);
}

export interface Side { readonly value: string; readonly axes: Axes }

/** q·kᵀ: the sides of `node`, undefined where it is no such product. */
export function scoreSides(view: GraphView, node: Node): { readonly q: Side; readonly k: Side; readonly rank: 3 | 4 } | undefined {
  const [first, second] = node.inputs;
  if (node.op === 'Einsum') {
    const [one, other, out] = letters(node) ?? [];
    if (!one || !other || !out) return undefined;
    const key = out[out.length - 1], dim = shared(one, other, out), query = out[out.length - 2];
    // Either side may be named first.
    const [a, b, q, k] = one.includes(key) ? [other, one, second, first] : [one, other, first, second];
    if (!dim || a.includes(key) || b.includes(query)) return undefined;
    const names = named(out.slice(0, -2), { [query]: 's', [dim]: 'd' }), names2 = named(out.slice(0, -2), { [key]: 's', [dim]: 'd' });
    const qAxes = axesIn(a, names), kAxes = axesIn(b, names2);
    return qAxes && kAxes && { q: { value: q, axes: qAxes }, k: { value: k, axes: kAxes }, rank: out.length === 4 ? 4 : 3 };
  }
  const rank = rankOf(view, node), turns = turnsOf(node);
  if (!rank || !turns) return undefined;
  return { q: { value: first, axes: turns.first ? turned(rank) : plain(rank) }, k: { value: second, axes: turns.second ? plain(rank) : turned(rank) }, rank };
}

/** p·v: v's side, and the axes of the output, undefined where `node` is no such product. */
export function mixSides(view: GraphView, node: Node): { readonly v: Side; readonly out: Side } | undefined {
  const [first, second] = node.inputs, [out] = node.outputs;
  if (node.op === 'Einsum') {
    const [one, other, o] = letters(node) ?? [];
    if (!one || !other || !o) return undefined;
    // The probabilities are the side whose last axis is summed over.
    const [p, b, v] = o.includes(one[one.length - 1]) ? [other, one, first] : [one, other, second];
    const key = p[p.length - 1], query = p[p.length - 2], dim = [...b].find(letter => !p.includes(letter));
    if (!dim || o.includes(key) || !o.includes(query) || !o.includes(dim)) return undefined;
    const vAxes = axesIn(b, named(p.slice(0, -2), { [key]: 's', [dim]: 'd' })), outAxes = axesIn(o, named(p.slice(0, -2), { [query]: 's', [dim]: 'd' }));
    return vAxes && outAxes && { v: { value: v, axes: vAxes }, out: { value: out, axes: outAxes } };
  }
  const rank = rankOf(view, node), turns = turnsOf(node);
  if (!rank || !turns || turns.first || node.op === 'FusedMatMul' && attributeFloat(node, 'alpha', 1) !== 1) return undefined;
  return { v: { value: second, axes: turns.second ? turned(rank) : plain(rank) }, out: { value: out, axes: plain(rank) } };
}

/** Whether each side of a product is given with its last two axes swapped; undefined where other axes are. */
function turnsOf(node: Node): { readonly first: boolean; readonly second: boolean } | undefined {
  if (node.op !== 'FusedMatMul') return { first: false, second: false };
  if (attributeInt(node, 'transBatchA', 0) || attributeInt(node, 'transBatchB', 0)) return undefined;
  return { first: attributeInt(node, 'transA', 0) === 1, second: attributeInt(node, 'transB', 0) === 1 };
}

export const plain = (rank: 3 | 4): Axes => (rank === 4 ? axesOf.four : axesOf.three);

const turned = (rank: 3 | 4): Axes => (rank === 4 ? axesOf.fourTransposed : axesOf.threeTransposed);

/** Rank of a product where it is three or four, from whichever of its values is known. */
function rankOf(view: GraphView, product: Node): 3 | 4 | undefined {
  const ranks = [product.outputs[0], ...product.inputs.slice(0, 2)].map(value => view.dims(value)?.length).filter(rank => rank !== undefined);
  const rank = ranks.length ? Math.max(...ranks) : undefined;
  return rank === 3 || rank === 4 ? rank : undefined;
}

/** The three terms of an equation of two inputs, without repeated letters. */
function letters(node: Node): readonly [string, string, string] | undefined {
  const equation = /^([a-zA-Z]{3,4}),([a-zA-Z]{3,4})->([a-zA-Z]{3,4})$/.exec((node.attributes.get('equation')?.s ?? '').replaceAll(' ', ''));
  const terms = equation?.slice(1);
  return terms?.every(term => new Set(term).size === term.length) ? terms as unknown as [string, string, string] : undefined;
}

/** The letter that both sides have and the product has not. */
function shared(a: string, b: string, out: string): string | undefined {
  const gone = [...a].filter(letter => b.includes(letter) && !out.includes(letter));
  return gone.length === 1 ? gone[0] : undefined;
}

type Name = 'b' | 'h' | 's' | 'd';
/** Leading letters are batch and head, or one axis that merges both. */
function named(leading: string, others: Readonly<Record<string, Name>>): ReadonlyMap<string, readonly Name[]> {
  const names = new Map<string, readonly Name[]>(Object.entries(others).map(([letter, name]) => [letter, [name]]));
  if (leading.length === 1) names.set(leading, ['b', 'h']);
  else [...leading].forEach((letter, i) => names.set(letter, [i === 0 ? 'b' : 'h']));
  return names;
}

function axesIn(term: string, names: ReadonlyMap<string, readonly Name[]>): Axes | undefined {
  const axes = [...term].map(letter => names.get(letter));
  return axes.includes(undefined) ? undefined : axes as Axes;
}
