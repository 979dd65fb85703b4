/** Attention on the CPU as little ONNX graphs over blocks of rows, run by onnxruntime: heads are laid out [kvHead, group, row, key]. */
import type * as Ort from 'onnxruntime-node';
import { withoutRuntime } from '../../contract/platform.ts';
import { buildModel } from '../onnx/build.ts';
import { dataType, type NewNode, type NewTensor, type ValueInfo } from '../onnx/model.ts';

/** Added to the score of a hidden key: far below any score, yet finite, so that no row can turn into NaN. Rows that see no key are known to the caller. */
export const hiddenScore = Math.fround(-1e30);

/** One block of query rows against the first `keys` keys of one sample. */
export interface Block { readonly heads: number; readonly kvHeads: number; readonly rows: number; readonly keys: number; readonly dim: number }

export interface ScoreInputs {
  /** [row, head, dim] and [key, kvHead, dim]; longer buffers are cut. */
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly scale: number;
  /** 0: none. */
  readonly softcap: number;
  /** [1 or head, row, key], added after the softcap. */
  readonly additive?: Float32Array;
}

/** [head, row, key]: scores, or with `lse` [head, row] the probabilities e^(score − lse). */
export async function scoreBlock(block: Block, of: ScoreInputs, lse?: Float32Array): Promise<Float32Array> {
  const kind = { softcap: of.softcap > 0, additive: of.additive !== undefined, lse: lse !== undefined, many: block.heads * block.rows * block.keys >= manyCells };
  const session = await sessionFor(`scores ${JSON.stringify(kind)}`, () => {
    const { nodes, inputs, scores } = scoreNodes(kind.softcap, kind.additive);
    if (kind.lse) { nodes.push(node('Sub', [scores, 'lse'], 'shifted'), node('Exp', ['shifted'], 'out')); inputs.push(float('lse', 4)); } else nodes.push(node('Identity', [scores], 'out'));
    return buildModel({ nodes, inputs, outputs: [float('out', 4)], opset: opsets });
  }, kind.many ? everyCore : oneCore);
  const feeds = scoreFeeds(block, of);
  if (lse) feeds.lse = tensor(lse, [block.kvHeads, block.heads / block.kvHeads, block.rows, 1]);
  return (await session.run(feeds)).out.data as Float32Array;
}

export interface StatisticsInputs extends ScoreInputs {
  readonly additive: Float32Array;
  /** [1 or head, row]: weight of the row in `received`. */
  readonly weights: Float32Array;
  /** [key, columns]: what to sum under the probabilities. */
  readonly columns: Float32Array;
  /** [row, key]: distances, summed under the probabilities too. */
  readonly distance?: Float32Array;
  /** [head]: logits that take part in the denominator only. */
  readonly sink?: Float32Array;
}
export interface BlockStatistics {
  /** [head, row]: largest score; Σ e^(s − max) over keys; Σ (s − max)·e^(s − max); key of the largest score. */
  readonly top: Float32Array; readonly total: Float32Array; readonly moment: Float32Array; readonly topKey: Int32Array;
  /** [head, key]: Σ over rows of weight · probability. */
  readonly received: Float32Array;
  /** [head, row, columns] and [head, row]: Σ over keys of e^(s − max) · column, · distance. */
  readonly sums: Float32Array; readonly distances?: Float32Array;
}

/** Row and column statistics of the masked softmax of a block, without a T×T buffer (exact-attention, two-pass form within the block). */
export async function statisticsBlock(block: Block, of: StatisticsInputs): Promise<BlockStatistics> {
  const kind = { softcap: of.softcap > 0, distance: of.distance !== undefined, sink: of.sink !== undefined };
  const session = await sessionFor(`statistics ${JSON.stringify(kind)}`, () => {
    const { nodes, inputs, scores } = scoreNodes(kind.softcap, true);
    nodes.push(
      { op: 'ReduceMax', name: 'top', inputs: [scores], outputs: ['top'], attributes: { axes: [-1], keepdims: 1 } },
      { op: 'ArgMax', name: 'arg', inputs: [scores], outputs: ['arg'], attributes: { axis: -1, keepdims: 1 } },
      { op: 'Cast', name: 'topKey', inputs: ['arg'], outputs: ['topKey'], attributes: { to: dataType.int32 } },
      node('Sub', [scores, 'top'], 'shifted'), node('Exp', ['shifted'], 'e'),
      node('ReduceSum', ['e', 'last'], 'total'), node('Mul', ['e', 'shifted'], 'es'), node('ReduceSum', ['es', 'last'], 'moment'),
    );
    // With a sink the denominator grows by e^(z − max); beyond e^80 the keys' share is nothing in float32.
    if (kind.sink) nodes.push(node('Sub', ['sink', 'top'], 'overTop'), node('Min', ['overTop', 'eighty'], 'capped'), node('Exp', ['capped'], 'sinkShare'), node('Add', ['total', 'sinkShare'], 'denominator'));
    nodes.push(
      node('Div', ['weights', kind.sink ? 'denominator' : 'total'], 'share'),
      { op: 'Transpose', name: 'across', inputs: ['share'], outputs: ['across'], attributes: { perm: [0, 1, 3, 2] } },
      node('MatMul', ['across', 'e'], 'received'), node('MatMul', ['e', 'columns'], 'sums'),
    );
    if (kind.distance) nodes.push(node('Mul', ['e', 'distance'], 'ed'), node('ReduceSum', ['ed', 'last'], 'distances'));
    inputs.push(float('weights', 4), float('columns', 2), ...(kind.distance ? [float('distance', 4)] : []), ...(kind.sink ? [float('sink', 4)] : []));
    const initializers = [lastAxis, { name: 'eighty', type: dataType.float, dims: [], data: new Uint8Array(new Float32Array([80]).buffer) }];
    return buildModel({ nodes, inputs, initializers, opset: opsets, outputs: [float('top', 4), float('total', 4), float('moment', 4), { name: 'topKey', type: dataType.int32, dims: dims(4) }, float('received', 4), float('sums', 4), ...(kind.distance ? [float('distances', 4)] : [])] });
  }, everyCore);
  const { heads, kvHeads, rows, keys } = block, groups = heads / kvHeads, feeds = scoreFeeds(block, of);
  feeds.weights = tensor(of.weights, of.weights.length === rows ? [1, 1, rows, 1] : [kvHeads, groups, rows, 1]);
  feeds.columns = tensor(of.columns, [keys, of.columns.length / keys]);
  if (of.distance) feeds.distance = tensor(of.distance, [1, 1, rows, keys]);
  if (of.sink) feeds.sink = tensor(of.sink, [kvHeads, groups, 1, 1]);
  const out = await session.run(feeds), data = (name: string): Float32Array => out[name].data as Float32Array;
  return { top: data('top'), total: data('total'), moment: data('moment'), topKey: out.topKey.data as Int32Array, received: data('received'), sums: data('sums'), distances: of.distance && data('distances') };
}

/** Σ_j p·v: `p` [head, row, key] and `v` [key, kvHead, valueDim] → [row, head, valueDim]. */
export async function valuesBlock(block: Block, p: Float32Array, v: Float32Array, valueDim: number): Promise<Float32Array> {
  const session = await sessionFor('values', () => buildModel({
    nodes: [
      { op: 'Transpose', name: 'vt', inputs: ['v'], outputs: ['vt'], attributes: { perm: [1, 2, 0, 3] } },
      node('MatMul', ['p', 'vt'], 'o'),
      { op: 'Transpose', name: 'out', inputs: ['o'], outputs: ['out'], attributes: { perm: [2, 0, 1, 3] } },
    ],
    inputs: [float('p', 4), float('v', 4)], outputs: [float('out', 4)],
  }));
  const { heads, kvHeads, rows, keys } = block;
  const out = await session.run({ p: tensor(p, [kvHeads, heads / kvHeads, rows, keys]), v: tensor(v, [keys, kvHeads, 1, valueDim]) });
  return out.out.data as Float32Array;
}

export interface CompareInputs extends ScoreInputs {
  readonly additive: Float32Array;
  /** [head, row] */
  readonly lse: Float32Array;
  /** [head, row, key]: the probabilities to compare with. */
  readonly pattern?: Float32Array;
  /** [key, kvHead, valueDim], and the outputs to compare with: [row, head, valueDim]. */
  readonly output?: { readonly v: Float32Array; readonly own: Float32Array; readonly valueDim: number };
}
/** Largest |difference| and |size|, and the sum of all differences, which shows NaN and infinities wherever they are. */
export interface BlockDifference { readonly most: number; readonly size: number; readonly sum: number }

/** How far the probabilities e^(score − lse) and their products with v are from others; nothing of their size leaves the runtime. */
export async function compareBlock(block: Block, of: CompareInputs): Promise<{ readonly pattern?: BlockDifference; readonly output?: BlockDifference }> {
  const kind = { softcap: of.softcap > 0, pattern: of.pattern !== undefined, output: of.output !== undefined };
  const session = await sessionFor(`compare ${JSON.stringify(kind)}`, () => {
    const { nodes, inputs, scores } = scoreNodes(kind.softcap, true), outputs: ValueInfo[] = [];
    nodes.push(node('Sub', [scores, 'lse'], 'shifted'), node('Exp', ['shifted'], 'p'));
    inputs.push(float('lse', 4));
    const differ = (mine: string, own: string): void => {
      nodes.push(node('Sub', [mine, own], `${own}.signed`), node('Abs', [`${own}.signed`], `${own}.difference`), node('Abs', [own], `${own}.size`));
      for (const [op, from, to] of [['ReduceMax', 'difference', 'most'], ['ReduceMax', 'size', 'largest'], ['ReduceSum', 'difference', 'sum']]) nodes.push({ ...node(op, [`${own}.${from}`], `${own}.${to}`), attributes: { keepdims: 0 } });
      outputs.push(float(`${own}.most`, 0), float(`${own}.largest`, 0), float(`${own}.sum`, 0));
    };
    if (kind.pattern) { differ('p', 'pattern'); inputs.push(float('pattern', 4)); }
    if (kind.output) {
      nodes.push(
        { ...node('Transpose', ['v'], 'vt'), attributes: { perm: [1, 2, 0, 3] } }, node('MatMul', ['p', 'vt'], 'mixed'),
        { ...node('Transpose', ['mixed'], 'o'), attributes: { perm: [2, 0, 1, 3] } },
      );
      differ('o', 'output');
      inputs.push(float('v', 4), float('output', 4));
    }
    return buildModel({ nodes, inputs, outputs, opset: opsets });
  }, everyCore);
  const { heads, kvHeads, rows, keys } = block, groups = heads / kvHeads, feeds = scoreFeeds(block, of);
  feeds.lse = tensor(of.lse, [kvHeads, groups, rows, 1]);
  if (of.pattern) feeds.pattern = tensor(of.pattern, [kvHeads, groups, rows, keys]);
  if (of.output) {
    feeds.v = tensor(of.output.v, [keys, kvHeads, 1, of.output.valueDim]);
    feeds.output = tensor(of.output.own, [rows, kvHeads, groups, of.output.valueDim]);
  }
  const out = await session.run(feeds), number = (name: string): number => (out[name].data as Float32Array)[0];
  const difference = (own: string): BlockDifference => ({ most: number(`${own}.most`), size: number(`${own}.largest`), sum: number(`${own}.sum`) });
  return { ...(of.pattern ? { pattern: difference('pattern') } : {}), ...(of.output ? { output: difference('output') } : {}) };
}

/** [row, head]: q·k of rows that belong together. `q` [row, head, dim], `k` [row, kvHead, dim]. */
export async function pairedScores(rows: number, heads: number, kvHeads: number, dim: number, q: Float32Array, k: Float32Array): Promise<Float32Array> {
  const session = await sessionFor('paired', () => buildModel({
    nodes: [node('Mul', ['q', 'k'], 'products'), node('ReduceSum', ['products', 'last'], 'out')],
    inputs: [float('q', 4), float('k', 4)], outputs: [float('out', 4)], initializers: [lastAxis],
  }), everyCore);
  const out = await session.run({ q: tensor(q.subarray(0, rows * heads * dim), [rows, kvHeads, heads / kvHeads, dim]), k: tensor(k.subarray(0, rows * kvHeads * dim), [rows, kvHeads, 1, dim]) });
  return out.out.data as Float32Array;
}

/** [row]: sums of squares of [row, dim], float32; beyond its range infinite. */
export async function sumsOfSquares(rows: number, dim: number, data: Float32Array): Promise<Float32Array> {
  const session = await sessionFor('squares', () => buildModel({ nodes: [{ op: 'ReduceSumSquare', name: 'out', inputs: ['rows'], outputs: ['out'], attributes: { axes: [-1], keepdims: 0 } }], inputs: [float('rows', 2)], outputs: [float('out', 1)] }), everyCore);
  return (await session.run({ rows: tensor(data, [rows, dim]) })).out.data as Float32Array;
}

function scoreNodes(softcap: boolean, additive: boolean): { nodes: NewNode[]; inputs: ValueInfo[]; scores: string } {
  const nodes: NewNode[] = [
    node('Mul', ['q', 'scale'], 'qs'),
    { op: 'Transpose', name: 'qt', inputs: ['qs'], outputs: ['qt'], attributes: { perm: [1, 2, 0, 3] } },
    // Whole rows are moved; the product turns them while it packs.
    { op: 'Transpose', name: 'kt', inputs: ['k'], outputs: ['kt'], attributes: { perm: [1, 2, 0, 3] } },
    { op: 'FusedMatMul', domain: 'com.microsoft', name: 'raw', inputs: ['qt', 'kt'], outputs: ['raw'], attributes: { transB: 1 } },
  ];
  const inputs = [float('q', 4), float('k', 4), float('scale', 0)];
  let scores = 'raw';
  if (softcap) { nodes.push(node('Div', ['raw', 'cap'], 'bent'), node('Tanh', ['bent'], 'tanh'), node('Mul', ['tanh', 'cap'], 'softcapped')); inputs.push(float('cap', 0)); scores = 'softcapped'; }
  if (additive) { nodes.push(node('Add', [scores, 'additive'], 'masked')); inputs.push(float('additive', 4)); scores = 'masked'; }
  return { nodes, inputs, scores };
}

function scoreFeeds({ heads, kvHeads, rows, keys, dim }: Block, of: ScoreInputs): Record<string, Ort.Tensor> {
  const groups = heads / kvHeads;
  const feeds: Record<string, Ort.Tensor> = {
    q: tensor(of.q.subarray(0, rows * heads * dim), [rows, kvHeads, groups, dim]),
    k: tensor(of.k.subarray(0, keys * kvHeads * dim), [keys, kvHeads, 1, dim]),
    scale: tensor(Float32Array.of(of.scale), []),
  };
  if (of.softcap > 0) feeds.cap = tensor(Float32Array.of(of.softcap), []);
  if (of.additive) feeds.additive = tensor(of.additive, of.additive.length === rows * keys ? [1, 1, rows, keys] : [kvHeads, groups, rows, keys]);
  return feeds;
}

const sessions = new Map<string, Promise<Ort.InferenceSession>>();
/** Loaded with the first session: a process that only opens traces greets sooner without it. */
let ort: typeof Ort;

/** What completes a trace works on every core, and lets go of them between its blocks. */
const everyCore: Ort.InferenceSession.SessionOptions = { extra: { session: { intra_op: { allow_spinning: '0' } } } };
/** What a person waits for works on one: while a model runs beside us on every core, waiting threads would only make tiles late. */
const oneCore: Ort.InferenceSession.SessionOptions = { intraOpNumThreads: 1 };
/** Unless it takes long: a block of so many cells is part of a map of thousands of tokens. */
const manyCells = 2 ** 20;

function sessionFor(kind: string, build: () => Uint8Array, cores = oneCore): Promise<Ort.InferenceSession> {
  let session = sessions.get(kind);
  if (!session) {
    session = loadRuntime().then(loaded => {
      ort = loaded;
      return ort.InferenceSession.create(build(), { ...cores, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all', logSeverityLevel: 3 });
    });
    sessions.set(kind, session);
    session.catch(() => sessions.delete(kind));
  }
  return session;
}

/** Errors: `UserError` on a platform that onnxruntime has no build for. */
async function loadRuntime(): Promise<typeof Ort> {
  const refused = withoutRuntime('Maps cannot be computed', process.platform, process.arch);
  if (refused) throw refused;
  return import('onnxruntime-node');
}

const opsets = { '': 17, 'com.microsoft': 1 };
const lastAxis: NewTensor = { name: 'last', type: dataType.int64, dims: [1], data: new Uint8Array(new BigInt64Array([-1n]).buffer) };
const dims = (rank: number): ValueInfo['dims'] => Array.from({ length: rank }, () => undefined);
const float = (name: string, rank: number): ValueInfo => ({ name, type: dataType.float, dims: dims(rank) });
const node = (op: string, inputs: readonly string[], output: string): NewNode => ({ op, name: output, inputs, outputs: [output] });
const tensor = (data: Float32Array, shape: readonly number[]): Ort.Tensor => new ort.Tensor('float32', data, shape);
