/**
 * Follows the heads and dims of an operand back through layout, packing, norms and rotary embedding, so that it is known which columns of a
 * projection they are. A coordinate of an axis is base + Σ stride · atom; batch and positions are taken whole.
 */
import type { GraphView, Node } from '../onnx/model.ts';
import { permutationOf } from '../onnx/permutation.ts';
import type { Layout } from './site-plan.ts';
import { activations, attributeInt, passes } from './walk.ts';

export type Atom = 'h' | 'd';
export interface Term { readonly atom: Atom; readonly stride: number }
/** `batch`: stride of what is batch or position; undefined where the axis holds none. */
export interface Axis { readonly terms: readonly Term[]; readonly base: number; readonly batch?: number }
export interface Sizes { readonly h: number; readonly d: number }
export interface State { readonly value: string; readonly axes: readonly Axis[] }

const whole: Axis = { terms: [], base: 0, batch: 1 };
const one: Axis = { terms: [], base: 0 };
const single = (atom: Atom): Axis => ({ terms: [{ atom, stride: 1 }], base: 0 });

/** Axes of a value with a layout; `start` is where its slice of the last axis begins. */
export function axesOfLayout(layout: Layout, { h, d }: Sizes, start = 0): readonly Axis[] {
  const parts = layout.match(/\([^)]*\)|\S+/g) ?? [];
  return parts.map((part, i): Axis => {
    const axis = part === '(h d)' ? { terms: [{ atom: 'h', stride: d }, { atom: 'd', stride: 1 }] satisfies Term[], base: 0 }
      : part === '(b h)' ? { ...single('h'), batch: h } : part === 'h' || part === 'd' ? single(part) : whole;
    return i === parts.length - 1 && start ? { ...axis, base: start } : axis;
  });
}

/** Which value, with which axes, `state` was computed from; several where operands of an elementwise node may lead on. Undefined where nobody can say. */
export function stepBack(view: GraphView, node: Node, state: State, sizes: Sizes): readonly State[] | undefined {
  const { axes } = state, from = node.inputs[0], on = (next: readonly Axis[] | undefined, value = from): readonly State[] | undefined => (next && value ? [{ value, axes: next }] : undefined);
  if (passes(node) || norms.has(node.op)) return on(axes);
  if (elementwise.has(node.op)) return operands(view, node, state, sizes);
  if (node.domain !== '') return undefined;
  const before = view.dims(from);
  switch (node.op) {
    case 'Transpose': {
      const perm = permutationOf(node, axes.length), next = new Array<Axis>(axes.length);
      if (!perm) return undefined;
      perm.forEach((axis, i) => { next[axis] = axes[i]; });
      return on(next);
    }
    case 'Reshape': case 'Flatten': return on(regroup(axes, view.dims(state.value), before, sizes));
    case 'Unsqueeze': {
      const gone = axesOfNode(view, node, axes.length);
      return gone && gone.every(axis => axes[axis] && !axes[axis].terms.length && axes[axis].base === 0) ? on(axes.filter((_, i) => !gone.includes(i))) : undefined;
    }
    case 'Squeeze': {
      const rank = before?.length, gone = rank === undefined ? undefined : axesOfNode(view, node, rank) ?? before!.flatMap((dim, i) => (dim === 1 ? [i] : []));
      if (rank === undefined || gone === undefined || rank - gone.length !== axes.length) return undefined;
      let next = 0;
      return on(Array.from({ length: rank }, (_, i) => (gone.includes(i) ? one : axes[next++])));
    }
    case 'Split': {
      const output = node.outputs.indexOf(state.value), axis = wrapped(attributeInt(node, 'axis', 0), axes.length);
      const lengths = node.outputs.slice(0, output).map(name => view.dims(name)?.[axis]);
      return lengths.includes(undefined) ? undefined : on(shifted(axes, axis, (lengths as number[]).reduce((a, b) => a + b, 0)));
    }
    case 'Slice': return on(sliced(view, node, axes, before));
    case 'Gather': {
      const index = view.constant(node.inputs[1]), rank = before?.length;
      if (!index || index.data.length !== 1 || rank === undefined) return undefined;
      const axis = wrapped(attributeInt(node, 'axis', 0), rank), at = index.data[0] < 0 ? index.data[0] + (before![axis] ?? NaN) : index.data[0];
      const fixed = { terms: [], base: at };
      if (Number.isNaN(at)) return undefined;
      return on(index.dims.length ? axes.map((each, i) => (i === axis ? fixed : each)) : [...axes.slice(0, axis), fixed, ...axes.slice(axis)]);
    }
    case 'Concat': return concatenated(view, node, state, sizes);
    default: return undefined;
  }
}

const norms = new Set(['LayerNormalization', 'SimplifiedLayerNormalization', 'RMSNormalization', 'LpNormalization', 'RotaryEmbedding', 'GemmaRotaryEmbedding', 'MRotaryEmbedding', 'Clip', 'Round', 'QuantizeLinear', 'DequantizeLinear']);
const elementwise = new Set(['Add', 'Sub', 'Mul', 'Div', 'Where']);
const wrapped = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The live operands that are not spread over heads or dims (as cosines are over heads). */
function operands(view: GraphView, node: Node, { axes }: State, sizes: Sizes): readonly State[] {
  const live = activations(view);
  return node.inputs.filter(input => live.has(input)).flatMap(value => {
    const dims = view.dims(value), missing = axes.length - (dims?.length ?? axes.length);
    if (missing < 0 || axes.slice(0, missing).some(axis => axis.terms.length)) return [];
    const own = axes.slice(missing);
    return own.some((axis, i) => dims?.[i] === 1 && extent(axis, sizes) > 1) ? [] : [{ value, axes: own }];
  });
}

/** One more than the largest coordinate. */
export function extent({ terms, base }: Axis, sizes: Sizes): number { return 1 + base + terms.reduce((sum, { atom, stride }) => sum + stride * (sizes[atom] - 1), 0); }

function axesOfNode(view: GraphView, node: Node, rank: number): number[] | undefined {
  const axes = node.attributes.get('axes')?.ints ?? (node.inputs[1] ? view.integers(node.inputs[1]) : undefined);
  return axes?.every(axis => axis !== undefined) ? (axes as number[]).map(axis => wrapped(axis, rank)) : undefined;
}

function shifted(axes: readonly Axis[], axis: number, by: number): readonly Axis[] {
  return axes.map((each, i) => (i !== axis || each.batch !== undefined ? each : { ...each, base: each.base + by }));
}

function sliced(view: GraphView, node: Node, axes: readonly Axis[], before: readonly (number | undefined)[] | undefined): readonly Axis[] | undefined {
  const list = (input: number, attribute: string): readonly (number | undefined)[] | undefined => node.attributes.get(attribute)?.ints ?? (node.inputs[input] ? view.integers(node.inputs[input]) : undefined);
  const starts = list(1, 'starts'), on = list(3, 'axes') ?? starts?.map((_, i) => i), steps = list(4, 'steps');
  if (!on) return undefined;
  let next = axes;
  for (const [i, given] of on.entries()) {
    const axis = given === undefined ? NaN : wrapped(given, axes.length);
    if (!axes[axis]) return undefined;
    // Positions that are cut off change no column.
    if (axes[axis].batch !== undefined) continue;
    const step = steps?.[i] ?? 1, start = starts?.[i], size = before?.[axis], at = start === undefined ? NaN : start < 0 ? start + (size ?? NaN) : start;
    if (Number.isNaN(at) || step < 1) return undefined;
    next = next.map((each, j) => (j === axis ? { base: at + each.base * step, terms: each.terms.map(term => ({ ...term, stride: term.stride * step })) } : each));
  }
  return next;
}

/** Along positions, what is appended to a past; along dims, the part in which the first of them lies (the rest is rotated otherwise). */
function concatenated(view: GraphView, node: Node, { axes }: State, sizes: Sizes): readonly State[] | undefined {
  const axis = wrapped(attributeInt(node, 'axis', 0), axes.length), live = activations(view);
  if (!axes[axis]) return undefined;
  if (axes[axis].batch !== undefined) return node.inputs.toReversed().filter(input => live.has(input)).map(value => ({ value, axes }));
  let at = 0;
  for (const value of node.inputs) {
    const size = view.dims(value)?.[axis];
    if (size === undefined) return undefined;
    const { base, terms } = axes[axis];
    if (base < at + size) return live.has(value) && (extent(axes[axis], sizes) <= at + size || (terms.length === 1 && terms[0].atom === 'd')) ? [{ value, axes: shifted(axes, axis, -at) }] : undefined;
    at += size;
  }
  return undefined;
}

/** Axes before a Reshape from `before` to `after`: runs of sizes with the same product are the same numbers in other groups. */
function regroup(axes: readonly Axis[], after: readonly (number | undefined)[] | undefined, before: readonly (number | undefined)[] | undefined, sizes: Sizes): readonly Axis[] | undefined {
  // Where not even the rank is known, a projection [batch, position, width] was split into heads.
  const from = before ?? [undefined, undefined, undefined], to = after?.length === axes.length ? after : axes.map(axis => (axis.batch !== undefined ? undefined : axis.terms.length === 1 && axis.terms[0].stride === 1 ? sizes[axis.terms[0].atom] : undefined));
  const groups: Axis[][] = [];
  let i = to.length - 1, j = from.length - 1;
  while (i >= 0 && j >= 0) {
    if ((to[i] === undefined) && (from[j] === undefined) && axes[i].batch !== undefined && !axes[i].terms.length) { groups.unshift([whole]); i--; j--; continue; }
    let left = i, right = j, a = to[i], b = from[j];
    while (a !== undefined && b !== undefined && a !== b && left >= 0 && right >= 0) {
      if (a < b) { left--; const next: number | undefined = left < 0 ? undefined : to[left]; a = next === undefined ? undefined : a * next; } else { right--; const next: number | undefined = right < 0 ? undefined : from[right]; b = next === undefined ? undefined : b * next; }
    }
    if (a === undefined || b === undefined) { left = 0; right = 0; }
    const group = split(axes.slice(left, i + 1), to.slice(left, i + 1), from.slice(right, j + 1), sizes);
    if (!group) return undefined;
    groups.unshift(group);
    i = left - 1; j = right - 1;
  }
  if (axes.slice(0, i + 1).some(axis => axis.terms.length || axis.base)) return undefined;
  return [...from.slice(0, j + 1).map(() => one), ...groups.flat()];
}

/** One run of axes as other axes: flattened, row by row, and cut anew. Unknown sizes may only be outermost. */
function split(axes: readonly Axis[], to: readonly (number | undefined)[], from: readonly (number | undefined)[], sizes: Sizes): Axis[] | undefined {
  if (axes.every(axis => !axis.terms.length && axis.base === 0)) return from.map(() => (axes.some(axis => axis.batch !== undefined) ? whole : one));
  let stride = 1, base = 0, batch: number | undefined, terms: Term[] = [];
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i];
    if (Number.isNaN(stride) && (axis.terms.length || axis.base)) return undefined;
    terms.push(...axis.terms.map(term => ({ ...term, stride: term.stride * stride })));
    base += axis.base * (axis.base ? stride : 0);
    if (axis.batch !== undefined && batch === undefined) batch = axis.batch * stride;
    stride *= to[i] ?? NaN;
  }
  const out: Axis[] = [];
  for (let j = from.length - 1; j >= 0; j--) {
    const size = from[j];
    if (j === 0 || (size === undefined && !terms.length && base === 0)) { out.unshift({ terms, base, ...(batch === undefined ? {} : { batch }) }); terms = []; base = 0; if (j > 0) batch = 1; continue; }
    if (size === undefined) return undefined;
    const inside = terms.filter(term => term.stride % size !== 0), outside = terms.filter(term => term.stride % size === 0);
    const here: Axis = { terms: inside, base: base % size };
    if (extent(here, sizes) > size || (batch !== undefined && batch % size !== 0)) return undefined;
    out.unshift(here);
    terms = outside.map(term => ({ ...term, stride: term.stride / size }));
    base = Math.floor(base / size);
    if (batch !== undefined) batch /= size;
  }
  return out;
}
