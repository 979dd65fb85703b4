/** Computes small integer and float graphs ahead of a run: shapes, axes, scales. Elements that only a run shows are NaN. */
import { dataType, type Attribute, type Node } from './model.ts';
import { permutationOf } from './permutation.ts';

/** Row-major numbers; NaN where `known` is false means "only a run shows it". */
export interface Folded { readonly dims: readonly number[]; readonly data: readonly number[]; readonly int: boolean; readonly known: boolean }

export const mostFolded = 4096;

/** What folding asks its surroundings for. */
export interface FoldContext {
  folded(value: string): Folded | undefined;
  dims(value: string): readonly (number | undefined)[] | undefined;
  tensor(attribute: Attribute): Folded | undefined;
  /** Version of ai.onnx. */
  readonly opset: number;
}

/** The first output of `node`, or undefined where its inputs or its operator do not allow to say. */
export function fold(node: Node, context: FoldContext): Folded | undefined {
  if (node.domain !== '') return undefined;
  const result = Object.hasOwn(rules, node.op) ? rules[node.op](node, context) : undefined;
  return result && result.data.length <= mostFolded ? result : undefined;
}

type Rule = (node: Node, context: FoldContext) => Folded | undefined;
const intAttribute = (node: Node, name: string, otherwise: number): number => node.attributes.get(name)?.i ?? otherwise;
const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const make = (dims: readonly number[], data: readonly number[], int: boolean): Folded => ({ dims, data, int, known: !data.some(Number.isNaN) });

/** Integers of an input, or of the attribute that older opsets have in its place. */
function integersOf(node: Node, context: FoldContext, input: number, attribute: string): readonly number[] | undefined {
  const given = node.attributes.get(attribute)?.ints;
  if (given) return given;
  if (!node.inputs[input]) return undefined;
  const folded = context.folded(node.inputs[input]);
  return folded?.known ? folded.data : undefined;
}

const constant: Rule = (node, context) => {
  const a = (name: string): Attribute | undefined => node.attributes.get(name);
  const tensor = a('value');
  if (tensor) return context.tensor(tensor);
  if (a('value_int')) return make([], [a('value_int')!.i ?? 0], true);
  if (a('value_float')) return make([], [a('value_float')!.f ?? 0], false);
  const ints = a('value_ints'), floats = a('value_floats');
  if (ints) return make([ints.ints?.length ?? 0], ints.ints ?? [], true);
  return floats && make([floats.floats?.length ?? 0], floats.floats ?? [], false);
};

const shape: Rule = (node, context) => {
  const dims = context.dims(node.inputs[0]);
  if (!dims) return undefined;
  const part = dims.slice(intAttribute(node, 'start', 0), node.attributes.get('end')?.i ?? dims.length);
  return make([part.length], part.map(dim => dim ?? NaN), true);
};

const reshape: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]), target = context.folded(node.inputs[1]);
  if (!x || !target?.known) return undefined;
  const dims = target.data.map((dim, i) => (dim === 0 && !intAttribute(node, 'allowzero', 0) ? x.dims[i] ?? 0 : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) dims[open] = x.data.length / Math.max(1, dims.reduce((p, d) => (d === -1 ? p : p * d), 1));
  return count(dims) === x.data.length ? { ...x, dims } : undefined;
};

const unsqueeze: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]), axes = integersOf(node, context, 1, 'axes');
  if (!x || !axes) return undefined;
  const rank = x.dims.length + axes.length, at = new Set(axes.map(a => (a < 0 ? a + rank : a)));
  let next = 0;
  return { ...x, dims: Array.from({ length: rank }, (_, i) => (at.has(i) ? 1 : x.dims[next++])) };
};

const squeeze: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]), axes = integersOf(node, context, 1, 'axes');
  if (!x) return undefined;
  const at = axes && new Set(axes.map(a => (a < 0 ? a + x.dims.length : a)));
  return { ...x, dims: x.dims.filter((dim, i) => (at ? !at.has(i) : dim !== 1)) };
};

const concat: Rule = (node, context) => {
  const parts = node.inputs.map(input => context.folded(input) ?? unknownVector(input, context));
  if (parts.some(part => !part)) return undefined;
  const all = parts as Folded[], rank = all[0].dims.length;
  if (rank === 1) return make([all.reduce((sum, p) => sum + p.data.length, 0)], all.flatMap(p => [...p.data]), all[0].int);
  const axis = (intAttribute(node, 'axis', 0) + rank) % rank, outer = count(all[0].dims.slice(0, axis));
  const data: number[] = [];
  for (let o = 0; o < outer; o++) for (const part of all) {
    const run = part.data.length / outer;
    for (let i = 0; i < run; i++) data.push(part.data[o * run + i]);
  }
  return make(all[0].dims.map((dim, i) => (i === axis ? all.reduce((sum, p) => sum + p.dims[axis], 0) : dim)), data, all[0].int);
};

/** A 1-D value of known length whose entries are not known: a part of a shape vector. */
function unknownVector(value: string, context: FoldContext): Folded | undefined {
  const dims = context.dims(value);
  if (dims?.length !== 1 || dims[0] === undefined || dims[0] > 16) return undefined;
  return make([dims[0]], new Array<number>(dims[0]).fill(NaN), true);
}

const gather: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]), indices = context.folded(node.inputs[1]);
  if (!indices) return undefined;
  if (!x) return context.dims(node.inputs[0])?.length === 1 || indices.dims.length <= 1 ? unknownPick(node, context, indices) : undefined;
  const rank = x.dims.length, axis = (intAttribute(node, 'axis', 0) + rank) % rank, size = x.dims[axis];
  const outer = count(x.dims.slice(0, axis)), inner = count(x.dims.slice(axis + 1)), data: number[] = [];
  if (outer * inner * indices.data.length > mostFolded) return undefined;
  for (let o = 0; o < outer; o++) for (const index of indices.data) for (let i = 0; i < inner; i++) {
    data.push(x.data[(o * size + (index < 0 ? index + size : index)) * inner + i] ?? NaN);
  }
  return make([...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)], data, x.int);
};

/** An entry of a shape whose rank is not even known. */
function unknownPick(node: Node, context: FoldContext, indices: Folded): Folded | undefined {
  const rank = context.dims(node.inputs[0])?.length;
  return rank === 1 ? make(indices.dims, indices.data.map(() => NaN), true) : undefined;
}

const slice: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]);
  const starts = integersOf(node, context, 1, 'starts'), ends = integersOf(node, context, 2, 'ends');
  if (!x || !starts || !ends) return undefined;
  const axes = integersOf(node, context, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = integersOf(node, context, 4, 'steps') ?? starts.map(() => 1);
  let result = x;
  for (let s = 0; s < starts.length; s++) {
    const axis = (axes[s] + x.dims.length) % x.dims.length, picks = sliceIndices(result.dims[axis], starts[s], ends[s], steps[s]);
    result = take(result, axis, picks);
  }
  return result;
};

/** Indices that [start:end:step] picks of `size`, with ONNX's clamping. */
export function sliceIndices(size: number, start: number, end: number, step: number): number[] {
  const picks: number[] = [], wrap = (at: number): number => (at < 0 ? at + size : at);
  if (step > 0) for (let i = Math.max(0, wrap(start)); i < Math.min(size, wrap(end)) && picks.length <= mostFolded; i += step) picks.push(i);
  else if (step < 0) for (let i = Math.min(size - 1, wrap(start)); i > Math.max(-1, end < -size ? -1 : wrap(end)) && picks.length <= mostFolded; i += step) picks.push(i);
  return picks;
}

function take(x: Folded, axis: number, picks: readonly number[]): Folded {
  const outer = count(x.dims.slice(0, axis)), inner = count(x.dims.slice(axis + 1)), data: number[] = [];
  for (let o = 0; o < outer; o++) for (const pick of picks) for (let i = 0; i < inner; i++) data.push(x.data[(o * x.dims[axis] + pick) * inner + i]);
  return make(x.dims.map((dim, i) => (i === axis ? picks.length : dim)), data, x.int);
}

const expand: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]), target = context.folded(node.inputs[1]);
  if (!x || !target?.known) return undefined;
  return broadcast([x, { dims: target.data, data: [], int: true, known: true }], x.int, ([value]) => value, true);
};

const transpose: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]);
  const perm = x && permutationOf(node, x.dims.length);
  if (!perm) return undefined;
  const dims = perm.map(axis => x.dims[axis]), strides = x.dims.map((_, i) => count(x.dims.slice(i + 1)));
  const data = Array.from({ length: x.data.length }, (_, i) => {
    let rest = i, from = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) { from += (rest % dims[axis]) * strides[perm[axis]]; rest = Math.floor(rest / dims[axis]); }
    return x.data[from];
  });
  return make(dims, data, x.int);
};

const cast: Rule = (node, context) => {
  const x = context.folded(node.inputs[0]), to = intAttribute(node, 'to', dataType.float);
  if (!x) return undefined;
  const int = to !== dataType.float && to !== dataType.double && to !== dataType.float16 && to !== dataType.bfloat16;
  return { ...x, int, data: to === dataType.bool ? x.data.map(v => (Number.isNaN(v) ? NaN : Number(v !== 0))) : int ? x.data.map(Math.trunc) : x.data };
};

const range: Rule = (node, context) => {
  const [start, limit, delta] = node.inputs.map(input => context.folded(input));
  if (!start?.known || !limit?.known || !delta?.known || !delta.data[0]) return undefined;
  const length = Math.max(0, Math.ceil((limit.data[0] - start.data[0]) / delta.data[0]));
  return length > mostFolded ? undefined : make([length], Array.from({ length }, (_, i) => start.data[0] + i * delta.data[0]), start.int);
};

/** Sizes from a stranger's file that can be allocated. */
function fits(dims: readonly number[]): boolean { return dims.every(dim => Number.isInteger(dim) && dim >= 0) && count(dims) <= mostFolded; }

const constantOfShape: Rule = (node, context) => {
  const dims = context.folded(node.inputs[0]), fill = node.attributes.get('value');
  const value = fill ? context.tensor(fill) : make([1], [0], false);
  if (!dims?.known || !value || !fits(dims.data)) return undefined;
  return make(dims.data, new Array<number>(count(dims.data)).fill(value.data[0]), value.int);
};

/** NumPy broadcasting of `inputs`; `shapeOnly`: the last one only lends its dims. */
function broadcast(inputs: readonly Folded[], int: boolean, of: (values: number[]) => number, shapeOnly = false): Folded | undefined {
  const rank = Math.max(...inputs.map(x => x.dims.length));
  const dims = Array.from({ length: rank }, (_, i) => inputs.reduce((size, x) => {
    const dim = x.dims[i - rank + x.dims.length] ?? 1;
    return dim === 1 ? size : dim;
  }, 1));
  const total = count(dims);
  if (!fits(dims)) return undefined;
  const valued = shapeOnly ? inputs.slice(0, -1) : inputs;
  const data = Array.from({ length: total }, (_, i) => of(valued.map(x => {
    let rest = i, from = 0, stride = 1;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const own = axis - rank + x.dims.length, at = rest % dims[axis];
      if (own >= 0) { if (x.dims[own] !== 1) from += at * stride; stride *= x.dims[own]; }
      rest = Math.floor(rest / dims[axis]);
    }
    return x.data[from];
  })));
  return make(dims, data, int);
}

function elementwise(of: (values: number[], int: boolean) => number, int?: boolean): Rule {
  return (node, context) => {
    const inputs = node.inputs.map(input => context.folded(input));
    if (!inputs.length || inputs.some(x => !x)) return undefined;
    const all = inputs as Folded[];
    return broadcast(all, int ?? all[all.length - 1].int, values => (values.some(Number.isNaN) ? NaN : of(values, all[0].int)));
  };
}

const rules: Readonly<Record<string, Rule>> = {
  Constant: constant, Shape: shape, Reshape: reshape, Unsqueeze: unsqueeze, Squeeze: squeeze, Concat: concat, Gather: gather, Slice: slice,
  Expand: expand, Transpose: transpose, Cast: cast, Range: range, ConstantOfShape: constantOfShape,
  Identity: (node, context) => context.folded(node.inputs[0]),
  // Exporters write it for numbers beside activations: those are floats unless a constant says otherwise.
  CastLike: (node, context) => { const x = context.folded(node.inputs[0]); return x && { ...x, int: context.folded(node.inputs[1])?.int ?? false }; },
  Add: elementwise(([a, b]) => a + b), Sub: elementwise(([a, b]) => a - b), Mul: elementwise(([a, b]) => a * b),
  Div: elementwise(([a, b], int) => (int ? Math.trunc(a / b) : a / b)), Pow: elementwise(([a, b]) => a ** b), Mod: elementwise(([a, b]) => ((a % b) + b) % b),
  Sqrt: elementwise(([a]) => Math.sqrt(a)), Neg: elementwise(([a]) => -a), Reciprocal: elementwise(([a]) => 1 / a), Abs: elementwise(([a]) => Math.abs(a)),
  Floor: elementwise(([a]) => Math.floor(a)), Ceil: elementwise(([a]) => Math.ceil(a)), Exp: elementwise(([a]) => Math.exp(a)),
  Min: elementwise(values => Math.min(...values)), Max: elementwise(values => Math.max(...values)),
  Equal: elementwise(([a, b]) => Number(a === b), true), Less: elementwise(([a, b]) => Number(a < b), true), Greater: elementwise(([a, b]) => Number(a > b), true),
  LessOrEqual: elementwise(([a, b]) => Number(a <= b), true), GreaterOrEqual: elementwise(([a, b]) => Number(a >= b), true),
  And: elementwise(([a, b]) => Number(a !== 0 && b !== 0), true), Or: elementwise(([a, b]) => Number(a !== 0 || b !== 0), true), Not: elementwise(([a]) => Number(a === 0), true),
  // A shape vector with one open entry: Where(shape == −1, ones, shape) keeps the entries that are known.
  Where: (node, context) => {
    const [condition, a, b] = node.inputs.map(input => context.folded(input));
    if (!condition || !a || !b) return undefined;
    return broadcast([condition, a, b], b.int, ([c, x, y]) => (Number.isNaN(c) ? (x === y ? x : NaN) : c !== 0 ? x : y));
  },
};
