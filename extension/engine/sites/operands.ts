/**
 * Follows q, k and v from the product that reads them back to where they are themselves: through scaling of scores, through layout,
 * through the repetition of key/value heads. Axes are tracked by name, so that the layout of every value on the way is known.
 */
import type { GraphView, Node } from '../onnx/model.ts';
import { permutationOf } from '../onnx/permutation.ts';
import type { Layout, Operand, ScaleFactor } from './site-plan.ts';
import { attributeInt, isScalar, passes, scalarConstant } from './walk.ts';

/** Batch, head (after repetition), position, dim; key/value head and how often it is repeated. */
type Atom = 'b' | 'h' | 's' | 'd' | 'kv' | 'r';
/** For every axis of a value, the atoms that it merges, outermost first; an empty list is an axis of size one. */
export type Axes = readonly (readonly Atom[])[];

export const axesOf = {
  four: [['b'], ['h'], ['s'], ['d']], fourTransposed: [['b'], ['h'], ['d'], ['s']],
  three: [['b', 'h'], ['s'], ['d']], threeTransposed: [['b', 'h'], ['d'], ['s']],
} as const satisfies Record<string, Axes>;

const layouts = new Set<string>(['b h s d', 'b s h d', 's b h d', 'b h d s', 'b s (h d)', '(b h) s d', '(b h) d s', 'h s d', 'h d s', 's h d', 's (h d)', 'b s d', 'b d s'] satisfies Layout[]);

export interface Tracked {
  readonly operand: Operand;
  /** Scaling that was taken off. */
  readonly factors: readonly ScaleFactor[];
  /** Heads of this operand itself, and its last axis, where the graph says. */
  readonly heads: number | undefined;
  readonly dim: number | undefined;
  readonly nodes: readonly Node[];
  /** Heads were repeated on the way to the product. */
  readonly repeated: boolean;
}

interface State { readonly value: string; readonly axes: Axes; readonly repeated: boolean }

/**
 * Follows `value`, whose axes are known, back as far as its meaning stays the same; undefined where its layout has no name.
 * `heads` (after repetition) and `dim` are what others know of its sizes.
 */
export function trackOperand(view: GraphView, value: string, axes: Axes, others: { readonly heads?: number; readonly dim?: number } = {}): Tracked | undefined {
  const sizes = new Map<Atom, number>(), factors: ScaleFactor[] = [], nodes: Node[] = [];
  let state: State = { value, axes, repeated: false };
  let found: (State & { nodes: number; factors: number }) | undefined;
  const commits: (State & { nodes: number; factors: number })[] = [];
  const commit = (): void => { if (layoutOf(state.axes)) { found = { ...state, nodes: nodes.length, factors: factors.length }; commits.push(found); } };
  learn(view, state, sizes);
  if (others.heads !== undefined && !sizes.has('h')) sizes.set('h', others.heads);
  if (others.dim !== undefined && !sizes.has('d')) sizes.set('d', others.dim);
  commit();
  for (let steps = 0; steps < 48; steps++) {
    const node = view.producer(state.value);
    if (!node) break;
    const scaled = scaling(view, node, state.value);
    const next = scaled ? { ...state, value: scaled.value } : step(view, node, state, sizes);
    if (!next) break;
    nodes.push(node);
    if (scaled) factors.push(scaled.factor);
    const wasRepeated = state.repeated;
    state = next;
    learn(view, state, sizes);
    if (scaled || !commits.length || (state.repeated && !state.axes.flat().includes('r') && (!wasRepeated || found?.repeated === false))) commit();
  }
  // Heads that are merged with dims can only be told apart where their number is known.
  found = commits.findLast(each => !layoutOf(each.axes)!.includes('(h d)') || sizes.has(each.repeated ? 'kv' : 'h'));
  if (!found) return undefined;
  const { axes: last, repeated } = found, heads = sizes.get(repeated ? 'kv' : 'h');
  // A head axis that was merged into the batch and never came apart: one head.
  const layout = layoutOf(last)!, single = heads === undefined && layout.startsWith('(b h)');
  return {
    operand: { value: found.value, layout: single ? (layout === '(b h) s d' ? 'b s d' : 'b d s') : layout, heads: single ? 1 : layout.includes('h') ? heads ?? null : 1 },
    factors: factors.slice(0, found.factors), heads: layout.includes('h') && !single ? heads : 1, dim: sizes.get('d'), nodes: nodes.slice(0, found.nodes), repeated,
  };
}

/** Name of a layout of four, three or merged axes. */
export function layoutOf(axes: Axes): Layout | undefined {
  const text = axes.map(group => group.map(atom => (atom === 'kv' ? 'h' : atom)).join(' ')).map(group => (group.includes(' ') ? `(${group})` : group)).join(' ');
  return layouts.has(text) ? text as Layout : undefined;
}

/** What the shape of a value says of the sizes of its atoms. */
function learn(view: GraphView, state: State, sizes: Map<Atom, number>): void {
  const dims = view.dims(state.value);
  if (dims?.length !== state.axes.length) return;
  state.axes.forEach((group, i) => {
    const size = dims[i], open = group.filter(atom => !sizes.has(atom));
    if (size === undefined || open.length !== 1 || (group.includes('b') && group.length > 1)) return;
    const rest = group.reduce((product, atom) => product * (sizes.get(atom) ?? 1), 1);
    if (size % rest === 0) sizes.set(open[0], size / rest);
  });
}

/** A multiplication or division by one number. */
export function scaling(view: GraphView, node: Node, value: string): { readonly value: string; readonly factor: ScaleFactor } | undefined {
  if (node.domain !== '' || (node.op !== 'Mul' && node.op !== 'Div') || node.outputs[0] !== value) return undefined;
  const [a, b] = node.inputs;
  const [kept, scale] = isScalar(view, b) ? [a, b] : node.op === 'Mul' && isScalar(view, a) ? [b, a] : [];
  if (kept === undefined || scale === undefined || isScalar(view, kept)) return undefined;
  const constant = scalarConstant(view, scale), power = node.op === 'Mul' ? 1 : -1;
  return { value: kept, factor: constant === undefined ? { value: scale, power } : { constant, power } };
}

/** One step back through layout or repetition. */
function step(view: GraphView, node: Node, state: State, sizes: ReadonlyMap<Atom, number>): State | undefined {
  if (node.domain !== '' || node.outputs[0] !== state.value) return undefined;
  const from = node.inputs[0], inputDims = view.dims(from);
  if (passes(node)) return { ...state, value: from };
  switch (node.op) {
    case 'Transpose': {
      const perm = permutationOf(node, state.axes.length);
      if (!perm) return undefined;
      const axes: (readonly Atom[])[] = new Array(perm.length);
      perm.forEach((axis, i) => { axes[axis] = state.axes[i]; });
      return axes.includes(undefined as never) ? undefined : { ...state, value: from, axes };
    }
    // Where not even the rank is known, a projection of [batch, position, width] was split into heads.
    case 'Reshape': return reshape(view, from, inputDims ?? [undefined, undefined, undefined], state, sizes);
    case 'Unsqueeze': {
      const axes = (node.attributes.get('axes')?.ints ?? view.integers(node.inputs[1] ?? ''))?.map(axis => (axis === undefined ? NaN : axis < 0 ? axis + state.axes.length : axis));
      if (!axes || axes.some(axis => !(state.axes[axis]?.length <= 1) || state.axes[axis][0] === 'b' || state.axes[axis][0] === 's' || state.axes[axis][0] === 'd')) return undefined;
      return { ...state, value: from, axes: state.axes.filter((_, i) => !axes.includes(i)), repeated: state.repeated || axes.some(axis => state.axes[axis][0] === 'r') };
    }
    case 'Expand': case 'Tile': return repetition(view, node, from, state);
    case 'Gather': return gathered(view, node, from, state);
    default: return undefined;
  }
}

/** Backwards over Reshape: the order of atoms stays, their grouping is what the shape of the input allows. */
function reshape(view: GraphView, from: string, dims: readonly (number | undefined)[], state: State, sizes: ReadonlyMap<Atom, number>): State | undefined {
  const atoms = state.axes.flat();
  if (dims.length === atoms.length + 1 && atoms.includes('h') && isRepetition(view, from)) {
    const axes = atoms.flatMap(atom => (atom === 'h' ? [['kv'], ['r']] : [[atom]])) as Axes;
    return { ...state, value: from, axes };
  }
  const repeats = atoms.indexOf('r');
  if (repeats >= 0 && dims.length === atoms.length - 1 && view.dims(state.value)?.[repeats] === 1) {
    return { value: from, axes: state.axes.filter(group => group[0] !== 'r'), repeated: true };
  }
  const options = groupings(atoms, dims.length).filter(axes => axes.every((group, i) => fits(group, dims[i], sizes)));
  const best = options.length === 1 ? options[0] : preferred(options);
  return best && { ...state, value: from, axes: best };
}

function isRepetition(view: GraphView, value: string): boolean {
  let node = view.producer(value);
  while (node && passes(node)) node = view.producer(node.inputs[0]);
  return node?.op === 'Expand' || node?.op === 'Tile';
}

/** All ways to cut a list into `count` neighbouring groups. */
function groupings(atoms: readonly Atom[], count: number): Axes[] {
  if (count < 1 || count > 6) return [];
  if (count === 1) return [[atoms]];
  return atoms.flatMap((_, i) => groupings(atoms.slice(i + 1), count - 1).map(rest => [atoms.slice(0, i + 1), ...rest])).concat(groupings(atoms, count - 1).map(rest => [[], ...rest]));
}

function fits(group: readonly Atom[], size: number | undefined, sizes: ReadonlyMap<Atom, number>): boolean {
  if (!group.length) return size === 1;
  const known = group.reduce((product, atom) => product * (sizes.get(atom) ?? 1), 1);
  if (size === undefined) return true;
  return group.every(atom => sizes.has(atom)) ? size === known : size % known === 0 && (group.length > 1 || size > 0);
}

/** Where sizes do not decide: heads merge with dims, or with the batch, as exporters do. */
function preferred(options: readonly Axes[]): Axes | undefined {
  const merged = (text: string): Axes | undefined => options.find(axes => axes.every(group => group.length > 0) && axes.some(group => group.join(' ') === text) && axes.filter(group => group.length > 1).length === 1);
  return merged('h d') ?? merged('b h') ?? options.find(axes => axes.every(group => group.length === 1));
}

/** Expand or Tile of an axis of size one: repeated heads, or one head seen by all. */
function repetition(view: GraphView, node: Node, from: string, state: State): State | undefined {
  const before = view.dims(from), after = view.dims(state.value);
  if (!before || before.length !== state.axes.length) return undefined;
  const changed = state.axes.findIndex((group, i) => before[i] === 1 && after?.[i] !== 1 && (group[0] === 'r' || group[0] === 'h'));
  if (changed < 0) return undefined;
  if (node.op === 'Tile' && view.integers(node.inputs[1])?.some((times, i) => i !== changed && times !== 1)) return undefined;
  if (state.axes[changed][0] === 'r') return { ...state, value: from };
  return { ...state, value: from, repeated: true, axes: state.axes.map((group, i) => (i === changed ? ['kv'] : group)) };
}

/** Gather of heads by constant indices 0 0 1 1 …: repeated heads. */
function gathered(view: GraphView, node: Node, from: string, state: State): State | undefined {
  const indices = view.constant(node.inputs[1]), before = view.dims(from);
  const axis = attributeInt(node, 'axis', 0), at = axis < 0 ? axis + state.axes.length : axis, heads = before?.[at];
  if (!indices || indices.dims.length !== 1 || heads === undefined || state.axes[at]?.join() !== 'h') return undefined;
  const times = indices.data.length / heads;
  if (!Number.isInteger(times) || !indices.data.every((index, i) => index === Math.floor(i / times))) return undefined;
  return { ...state, value: from, repeated: true, axes: state.axes.map((group, i) => (i === at ? ['kv'] : group)) };
}
