/** Shapes of values that the file says nothing about, inferred operator by operator as far as constants reach. */
import type { Node } from './model.ts';
import { sliceIndices, type FoldContext } from './fold.ts';
import { permutationOf } from './permutation.ts';
import { inferMicrosoft } from './shapes-microsoft.ts';

export type Dims = readonly (number | undefined)[];

/** Shapes of the outputs of `node`; undefined entries where the rank is unknown. */
export function inferDims(node: Node, context: FoldContext): readonly (Dims | undefined)[] {
  const first = node.inputs[0] ? context.dims(node.inputs[0]) : undefined;
  const fused = node.domain === 'com.microsoft' ? inferMicrosoft(node, context) : undefined;
  if (fused) return fused;
  if (sameShape.has(node.op)) return node.outputs.map((_, i) => (i === 0 ? first : undefined));
  if (node.domain !== '' && !anyDomain.has(node.op)) return [];
  if (node.op === 'Split') return split(node, context, first);
  if (node.op === 'DynamicQuantizeLinear') return dynamicQuantize(node, context, first);
  return Object.hasOwn(singles, node.op) ? [singles[node.op](node, context, first)] : [];
}

/** One operator's outputs. */
type Many = (node: Node, context: FoldContext, first: Dims | undefined) => readonly (Dims | undefined)[];
/** An operator with one output. */
type Single = (node: Node, context: FoldContext, first: Dims | undefined) => Dims | undefined;

const anyDomain = new Set(['Attention', 'FusedMatMul', 'MatMulNBits']);
const sameShape = new Set([
  'Identity', 'Cast', 'CastLike', 'Softmax', 'LogSoftmax', 'LayerNormalization', 'SimplifiedLayerNormalization', 'RMSNormalization', 'SkipLayerNormalization', 'SkipSimplifiedLayerNormalization',
  'Relu', 'Tanh', 'Sigmoid', 'Erf', 'Gelu', 'FastGelu', 'BiasGelu', 'QuickGelu', 'Neg', 'Abs', 'Sqrt', 'Reciprocal', 'Exp', 'Log', 'Floor', 'Ceil', 'Not', 'IsNaN', 'IsInf', 'Sin', 'Cos', 'Dropout', 'Clip', 'Softplus',
  'QuantizeLinear', 'DequantizeLinear', 'Trilu', 'CumSum', 'ScatterND', 'ScatterElements', 'RotaryEmbedding', 'LeakyRelu', 'Elu', 'HardSwish', 'HardSigmoid', 'Mish', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization',
]);
const elementwise = ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Mod', 'Min', 'Max', 'And', 'Or', 'Xor', 'Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual', 'Where', 'Sum', 'PRelu'];

const int = (node: Node, name: string, otherwise: number): number => node.attributes.get(name)?.i ?? otherwise;
const at = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
const product = (dims: Dims): number | undefined => dims.reduce<number | undefined>((a, b) => (a === undefined || b === undefined ? undefined : a * b), 1);

function integers(node: Node, context: FoldContext, input: number, attribute: string): readonly number[] | undefined {
  const given = node.attributes.get(attribute)?.ints;
  if (given) return given;
  const folded = node.inputs[input] ? context.folded(node.inputs[input]) : undefined;
  return folded?.data;
}

/** NumPy broadcasting; an unknown size stays unknown unless another input is larger than one. */
export function broadcastDims(shapes: readonly (Dims | undefined)[]): Dims | undefined {
  let rank = 0;
  for (const shape of shapes) { if (!shape) return undefined; rank = Math.max(rank, shape.length); }
  const dims = new Array<number | undefined>(rank);
  for (let i = 0; i < rank; i++) {
    let size: number | undefined = 1, open = false;
    for (const shape of shapes as readonly Dims[]) {
      const at = i - rank + shape.length, own = at < 0 ? 1 : shape[at];
      if (own === undefined) open = true;
      else if (own !== 1) { size = own; open = false; break; }
    }
    dims[i] = open ? undefined : size;
  }
  return dims;
}

const reshape: Single = (node, context, first) => {
  const target = node.inputs[1] ? context.folded(node.inputs[1]) : undefined;
  if (!target) {
    const length = node.inputs[1] ? context.dims(node.inputs[1]) : undefined;
    return length?.length === 1 && length[0] !== undefined && length[0] < 16 ? new Array<undefined>(length[0]).fill(undefined) : undefined;
  }
  const dims: (number | undefined)[] = target.data.map((dim, i) => (Number.isNaN(dim) ? undefined : dim === 0 && !int(node, 'allowzero', 0) ? first?.[i] : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) {
    // As many open sizes in as out: they are the same ones (batch, positions), and the rest decides the −1.
    const rest = dims.filter((_, i) => i !== open), known = (list: Dims): number[] => list.filter(dim => dim !== undefined);
    const same = first && first.length - known(first).length === rest.length - known(rest).length;
    const size = same ? product(known(first))! / product(known(rest))! : NaN;
    dims[open] = Number.isInteger(size) ? size : undefined;
  }
  return dims;
};

const matmul: Single = (node, context, first) => {
  let a = first, b = node.inputs[1] ? context.dims(node.inputs[1]) : undefined;
  if (!a || !b || a.length < 2 || b.length < 2) return undefined;
  const swap = (dims: Dims): Dims => [...dims.slice(0, -2), dims[dims.length - 1], dims[dims.length - 2]];
  if (int(node, 'transA', 0)) a = swap(a);
  if (int(node, 'transB', 0)) b = swap(b);
  const batch = broadcastDims([a.slice(0, -2), b.slice(0, -2)]);
  return batch && [...batch, a[a.length - 2], b[b.length - 1]];
};

const slice: Single = (node, context, first) => {
  const starts = integers(node, context, 1, 'starts'), ends = integers(node, context, 2, 'ends');
  const axes = integers(node, context, 3, 'axes') ?? starts?.map((_, i) => i), steps = integers(node, context, 4, 'steps');
  if (!first || !axes) return first && first.map(() => undefined);
  const dims = [...first];
  axes.forEach((axis, i) => {
    const on = at(axis, first.length), size = first[on], start = starts?.[i] ?? NaN, end = ends?.[i] ?? NaN, step = steps?.[i] ?? 1;
    dims[on] = size === undefined || size > 1 << 20 || Number.isNaN(start + end + step) ? undefined : sliceIndices(size, start, end, step).length;
  });
  return dims;
};

const reduce: Single = (node, context, first) => {
  const axes = integers(node, context, 1, 'axes'), keep = int(node, 'keepdims', 1) === 1;
  if (!first || (!axes && node.inputs[1])) return undefined;
  if (!axes?.length) return int(node, 'noop_with_empty_axes', 0) ? first : keep ? first.map(() => 1) : [];
  const gone = new Set(axes.map(axis => at(axis, first.length)));
  return keep ? first.map((dim, i) => (gone.has(i) ? 1 : dim)) : first.filter((_, i) => !gone.has(i));
};
const reductions = ['Mean', 'Sum', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare'].map(name => `Reduce${name}`);

/** Size of a spatial axis behind a sliding window: kernel, strides, dilations, and explicit or automatic padding. */
function slid(node: Node, size: number | undefined, kernel: number | undefined, axis: number): number | undefined {
  const ints = (name: string): readonly number[] | undefined => node.attributes.get(name)?.ints, stride = ints('strides')?.[axis] ?? 1, auto = node.attributes.get('auto_pad')?.s ?? 'NOTSET';
  if (size === undefined || kernel === undefined || !(stride > 0)) return undefined;
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') return Math.ceil(size / stride);
  const pads = ints('pads'), around = auto === 'VALID' || !pads ? 0 : (pads[axis] ?? 0) + (pads[axis + pads.length / 2] ?? 0), reach = ((ints('dilations')?.[axis] ?? 1) * (kernel - 1)) + 1;
  const steps = (size + around - reach) / stride;
  return steps >= 0 ? (int(node, 'ceil_mode', 0) ? Math.ceil(steps) : Math.floor(steps)) + 1 : undefined;
}

const pool: Single = (node, _, first) => first?.map((dim, i) => (i < 2 ? dim : slid(node, dim, node.attributes.get('kernel_shape')?.ints?.[i - 2], i - 2)));

const singles: Readonly<Record<string, Single>> = {
  ...Object.fromEntries(reductions.map(op => [op, reduce])),
  ...Object.fromEntries(elementwise.map(op => [op, (node: Node, context: FoldContext) => broadcastDims(node.inputs.map(input => context.dims(input)))])),
  MatMulNBits: (node, _, first) => first && [...first.slice(0, -1), node.attributes.get('N')?.i],
  Reshape: reshape, MatMul: matmul, MatMulInteger: matmul, FusedMatMul: matmul, Slice: slice,
  Constant: (node, context) => context.folded(node.outputs[0])?.dims ?? node.attributes.get('value')?.tensor?.dims,
  Gemm: (node, context, first) => {
    const b = context.dims(node.inputs[1]);
    return [first?.[int(node, 'transA', 0) ? 1 : 0], b?.[int(node, 'transB', 0) ? 0 : 1]];
  },
  Transpose: (node, _, first) => first && permutationOf(node, first.length)?.map(axis => first[axis]),
  Unsqueeze: (node, context, first) => {
    const axes = integers(node, context, 1, 'axes');
    if (!first || !axes) return undefined;
    const rank = first.length + axes.length, ones = new Set(axes.map(axis => at(axis, rank)));
    let next = 0;
    return Array.from({ length: rank }, (__, i) => (ones.has(i) ? 1 : first[next++]));
  },
  Squeeze: (node, context, first) => {
    const axes = integers(node, context, 1, 'axes');
    if (!first) return undefined;
    if (!axes) return first.includes(undefined) ? undefined : first.filter(dim => dim !== 1);
    const gone = new Set(axes.map(axis => at(axis, first.length)));
    return first.filter((_, i) => !gone.has(i));
  },
  Concat: (node, context) => {
    const shapes = node.inputs.map(input => context.dims(input)), known = shapes.find(shape => shape);
    if (!known) return undefined;
    const axis = at(int(node, 'axis', 0), known.length);
    return known.map((_, i) => {
      const sizes = shapes.map(shape => shape?.[i]);
      return i === axis ? (sizes.includes(undefined) ? undefined : (sizes as number[]).reduce((a, b) => a + b, 0)) : sizes.find(size => size !== undefined);
    });
  },
  Gather: (node, context, first) => {
    const indices = context.dims(node.inputs[1]);
    if (!first || !indices) return undefined;
    const axis = at(int(node, 'axis', 0), first.length);
    return [...first.slice(0, axis), ...indices, ...first.slice(axis + 1)];
  },
  Conv: (node, context, first) => {
    const weight = context.dims(node.inputs[1]), known = first ?? weight;
    if (!known) return undefined;
    const kernel = node.attributes.get('kernel_shape')?.ints ?? weight?.slice(2) ?? [];
    return [first?.[0], weight?.[0], ...known.slice(2).map((_, i) => slid(node, first?.[i + 2], kernel[i], i))];
  },
  MaxPool: pool, AveragePool: pool,
  GlobalAveragePool: (_, __, first) => first?.map((dim, i) => (i < 2 ? dim : 1)), GlobalMaxPool: (_, __, first) => first?.map((dim, i) => (i < 2 ? dim : 1)),
  Pad: (node, context, first) => {
    const pads = integers(node, context, 1, 'pads'), on = integers(node, context, 3, 'axes') ?? first?.map((_, i) => i);
    if (!first || !pads || !on) return first?.map(() => undefined);
    const dims = [...first];
    on.forEach((axis, i) => {
      const index = at(axis, first.length), size = first[index], more = (pads[i] ?? NaN) + (pads[i + on.length] ?? NaN);
      dims[index] = size === undefined || Number.isNaN(more) ? undefined : Math.max(0, size + more);
    });
    return dims;
  },
  NonZero: (_, __, first) => first && [first.length, undefined],
  GatherElements: (node, context) => context.dims(node.inputs[1]),
  Expand: (node, context, first) => {
    const target = context.folded(node.inputs[1]);
    return target && broadcastDims([first, target.data.map(dim => (Number.isNaN(dim) ? undefined : dim))]);
  },
  Tile: (node, context, first) => {
    const repeats = context.folded(node.inputs[1]);
    return first?.map((dim, i) => { const times = repeats?.data[i]; return dim === undefined || times === undefined || Number.isNaN(times) ? undefined : dim * times; });
  },
  Flatten: (node, _, first) => {
    if (!first) return [undefined, undefined];
    const axis = at(int(node, 'axis', 1), first.length);
    return [product(first.slice(0, axis)), product(first.slice(axis))];
  },
  Shape: (node, _, first) => {
    if (!first) return [undefined];
    const bound = (name: string, otherwise: number): number => Math.min(Math.max(at(int(node, name, otherwise), first.length), 0), first.length);
    return [Math.max(bound('end', first.length) - bound('start', 0), 0)];
  },
  GatherND: (node, context, first) => {
    const indices = context.dims(node.inputs[1]), batch = int(node, 'batch_dims', 0), depth = indices?.[indices.length - 1];
    return first && indices && depth !== undefined ? [...indices.slice(0, -1), ...first.slice(batch + depth)] : undefined;
  },
  Range: (node, context) => context.folded(node.outputs[0])?.dims ?? [undefined],
  ConstantOfShape: (node, context) => {
    const dims = context.folded(node.inputs[0]), length = context.dims(node.inputs[0])?.[0];
    return dims?.data.map(dim => (Number.isNaN(dim) ? undefined : dim)) ?? (length !== undefined && length < 16 ? new Array<undefined>(length).fill(undefined) : undefined);
  },
  // Opset 23 and later: rank and layout of Q; 3-D outputs have the width of all heads of V.
  Attention: (node, context, first) => {
    const v = context.dims(node.inputs[2]);
    if (!first || node.domain !== '') return undefined;
    return first.length === 4 ? [first[0], first[1], first[2], v?.[3]] : [first[0], first[1], undefined];
  },
};

/** Quantised values have the shape of what they stand for; scale and zero point are single numbers. */
const dynamicQuantize: Many = (_, __, first) => [first, [], []];

const split: Many = (node, context, first) => {
  if (!first) return [];
  const axis = at(int(node, 'axis', 0), first.length), sizes = integers(node, context, 1, 'split'), whole = first[axis];
  const even = whole === undefined ? undefined : Math.ceil(whole / node.outputs.length);
  return node.outputs.map((_, i) => first.map((dim, j) => (j !== axis ? dim : sizes ? sizes[i] : even)));
};
