/** Pure graph editing: what is added to a model so that one run shows q, k, v, masks and statistics of every attention site. */
import { dataType, type Edits, type GraphView, type Model } from '../../onnx/model.ts';
import type { Operand, ScaleFactor, SitePlan } from '../../sites/site-plan.ts';
import { UserError } from '../../../contract/errors.ts';
import { residualName } from '../../../contract/site.ts';
import { sameValues } from './same-values.ts';
import { TapGraph } from './tap-graph.ts';
import { asMatrix, canonical, splitBatch } from './tap-layout.ts';
import { addStatistics, type StatisticsTaps } from './tap-statistics.ts';

export interface TapOptions {
  /** Type that q, k, v (and z) leave the graph in. */
  readonly stored: 'F32' | 'F16';
  readonly keepZ: boolean;
  /** Weights that linear attention implies are wanted. */
  readonly keepPattern?: boolean;
  readonly keepResid?: boolean;
  /** Probabilities are large; see tap-statistics.ts. */
  readonly sparing?: boolean;
  /** Masks without heads of their own leave the graph as [batch, 1, query or 1, key], so that their shape is known beforehand. */
  readonly broadcastMasks?: boolean;
  /** The run is one piece of a whole: no statistics, as they are made of the whole; the graph's own probabilities of the kept rows alone. */
  readonly piece?: boolean;
  /** The output with logits [batch, position, vocabulary], if the model has one: its rows at `attnscope.last` are fetched. */
  readonly logits?: string;
}

/** Names of outputs of the tapped graph, per site in the order of the plans. */
export interface SiteTaps {
  readonly q?: string; readonly k?: string; readonly v?: string; readonly z?: string;
  /** Rows of the site's own output [batch, rows, head, valueDim], and which rows they are (int64). */
  readonly ownOutput?: string;
  readonly rows: string;
  /** float32 [batch, head, query, key]: all of it, where nothing else can be had. */
  readonly pattern?: string;
  readonly statistics?: StatisticsTaps;
  /** float32 [batch, head, rows, key]: the graph's own probabilities of the kept rows, where there are no statistics. */
  readonly ownPattern?: string;
  /** Factors of the scale that only a run shows, scalars. */
  readonly scales: readonly { readonly output: string; readonly power: 1 | -1 }[];
  readonly masks: readonly MaskTap[];
  /** float32 [head]. */
  readonly sink?: string;
  /** float32 [batch, head, query, key] of linear attention; `ownOutput` is then without what a past state adds. */
  readonly implied?: string;
  /** float32 [layout, rows of blocks + 1] and [layout, entries]. */
  readonly blocks?: { readonly rows: string; readonly columns: string };
  /** float32 [1]: not 0 where the plan's rule does not hold. */
  readonly unruly?: string;
}
/** `perQuery` is false where the graph itself says that the mask is one row for all queries. */
export interface MaskTap { readonly output: string; readonly as: 'add' | 'keep' | 'drop'; readonly perQuery: boolean }
export interface Taps {
  readonly edits: Edits;
  readonly sites: readonly SiteTaps[];
  /** The residual stream before each block, [batch, position, width], by the name that it has in a trace. */
  readonly resid: readonly { readonly name: string; readonly output: string }[];
  /** float32 [batch, vocabulary] */
  readonly lastLogits?: string;
  /** A sequence, which onnxruntime's binding cannot hand over; see `Runtime.run`. */
  readonly stop: string;
  /** Feeds that the edits ask for. */
  readonly feeds: { readonly real: readonly string[]; readonly last: boolean };
}

const { float, float16, int64, uint8 } = dataType;

/** Rows kept for parity where a site's queries are not the tokens: this many, evenly spread. */
export const rowsKept = 64;

/**
 * The edits for `plans`. Fed besides the model's own inputs: per side (`text`, and `decoder` of a sequence-to-sequence model)
 * `attnscope.SIDE.real` float32 [batch, tokens] (1 real, 0 padding) and `attnscope.SIDE.rows` int64 (queries kept for parity);
 * `attnscope.last` int64 [batch] (row of the logits). Errors: `UserError` when the operator set is too old to add to.
 */
export function planTaps(model: Model, view: GraphView, plans: readonly SitePlan[], options: TapOptions): Taps {
  const opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
  if (opset < 11) throw new UserError(`The model uses operator set ${opset}; tracing needs 11 or newer.`, 'Convert it with onnx.version_converter, or export it again.');
  const graph = new TapGraph(opset);
  for (const { added } of plans) if (added) graph.include(added);
  const stop = graph.output(graph.node('SequenceEmpty', []));
  const masks = new Map<string, MaskTap>(), canon = sameValues(view), sides = new Set<string>();
  const sites = plans.map(plan => tapSite({ graph, masks, canon, sides, options, view }, plan));
  let lastLogits: string | undefined;
  if (options.logits !== undefined) {
    const value = options.logits, shape = graph.shape(value), positions = graph.slice(shape, 0, 1, 2);
    const last = graph.input('last', int64, ['attnscope.batch']);
    const index = graph.node('Add', [graph.node('Mul', [graph.range(graph.slice(shape, 0, 0, 1)), positions]), last]);
    const flat = graph.reshape(graph.cast(value, float), graph.concat([graph.ints([-1]), graph.slice(shape, 0, 2, 3)], 0));
    lastLogits = graph.output(graph.node('Gather', [flat, index], { axis: 0 }), float);
  }
  return { edits: graph.edits(), sites, resid: options.keepResid ? tapResid(graph, view, plans, options.stored === 'F16' ? float16 : float) : [], ...(lastLogits ? { lastLogits } : {}), stop, feeds: { real: [...sides], last: lastLogits !== undefined } };
}

/** Once a block, whatever attends in it. Streams over a grid [batch, rows, columns, width] are laid out row by row. */
function tapResid(graph: TapGraph, view: GraphView, plans: readonly SitePlan[], type: number): Taps['resid'] {
  const taps = new Map<string, string>();
  for (const { site } of plans) {
    const name = residualName(site), value = site.block?.residPre, rank = value === undefined ? undefined : view.dims(value)?.length ?? 3;
    if (value === undefined || rank === undefined || rank < 2 || taps.has(name)) continue;
    const own = graph.cast(value, type), shape = graph.shape(value);
    const three = rank === 3 ? own : rank === 2 ? graph.unsqueeze(own, [0]) : graph.reshape(own, graph.concat([graph.slice(shape, 0, 0, 1), graph.ints([-1]), graph.slice(shape, 0, rank - 1, rank)], 0));
    taps.set(name, graph.output(three, type));
  }
  return [...taps].map(([name, output]) => ({ name, output }));
}

interface Context { readonly graph: TapGraph; readonly masks: Map<string, MaskTap>; readonly canon: (value: string) => number; readonly sides: Set<string>; readonly options: TapOptions; readonly view: GraphView }

/** The tokens that a site's queries are: of the decoder, of the (only or first) text side, or no tokens at all. */
export function querySide(plan: SitePlan): 'decoder' | 'text' | undefined {
  const { stack } = plan.site;
  return stack === 'decoder' ? 'decoder' : stack === 'vision' || stack === 'audio' ? undefined : 'text';
}

function tapSite(context: Context, plan: SitePlan): SiteTaps {
  const { graph, options } = context;
  const stored = options.stored === 'F16' ? float16 : float;
  const tensor = (operand: Operand | undefined): string | undefined => {
    if (!operand) return undefined;
    const value = canonical(graph, operand, 'b s h d');
    return graph.output(stored === float ? value : graph.cast(value, stored), stored);
  };
  const q = tensor(plan.q), k = tensor(plan.k), v = tensor(plan.v);
  const z = options.keepZ ? tensor(plan.out) : undefined;
  const softmax = plan.softmax && asMatrix(graph, plan.softmax.probs, plan.softmax.layout, plan.site.heads);
  const probs = softmax === undefined ? undefined : graph.cast(softmax, float);
  const implied = options.keepPattern ? plan.implied : undefined, whole = plan.out && canonical(graph, plan.out, 'b s h d');
  const out = whole && implied?.before !== undefined ? graph.node('Sub', [whole, canonical(graph, { ...plan.out!, value: implied.before }, 'b s h d')]) : whole;
  const like = probs ?? (plan.q && canonical(graph, plan.q, 'b h s d'));
  const side = querySide(plan);
  const rows = keptRows(context, side, like);
  const taps: { -readonly [K in keyof SiteTaps]: SiteTaps[K] } = {
    ...(q ? { q } : {}), ...(k ? { k } : {}), ...(v ? { v } : {}), ...(z ? { z } : {}),
    ...(out && rows ? { ownOutput: graph.output(graph.node('Gather', [out, rows], { axis: 1 }), float) } : {}),
    rows: graph.output(rows, int64),
    ...(probs !== undefined && !plan.q ? { pattern: graph.output(probs, float) } : {}),
    scales: plan.scale.flatMap((factor, i) => ('value' in factor
      ? [{ output: graph.output(graph.reshape(graph.cast(factor.value, float), [-1]), float), power: factor.power }] : [])),
    masks: plan.masks.map(term => {
      const key = `${term.as === 'add'} ${term.merged ? plan.site.heads : ''} ${JSON.stringify(term.times ?? '')} ${context.canon(term.value)}`;
      const known = context.masks.get(key) ?? tapMask(context, plan, term, like);
      context.masks.set(key, known);
      return { ...known, as: term.as };
    }),
  };
  if (plan.rule.unless !== undefined) taps.unruly = graph.output(graph.reshape(graph.cast(plan.rule.unless, float), [-1]), float);
  if (plan.blocks) taps.blocks = { rows: graph.output(graph.cast(plan.blocks.rows, float), float), columns: graph.output(graph.cast(plan.blocks.columns, float), float) };
  if (plan.sink !== undefined) taps.sink = graph.output(graph.reshape(graph.cast(plan.sink, float), [-1]), float);
  if (implied) taps.implied = graph.output(graph.cast(implied.weights, float), float);
  if (probs === undefined) return taps;
  if (options.piece) {
    if (!plan.q || !rows) return taps;
    const ownPattern = graph.node('Gather', [probs, rows], { axis: 2 }), last = plan.out?.value ?? plan.softmax!.probs;
    // As with statistics, readers wait: one layer's probabilities live at a time.
    graph.rewire(last, graph.after(last, [ownPattern]));
    return { ...taps, ownPattern: graph.output(ownPattern, float) };
  }
  const weights = realRows(context, side, probs);
  const statistics = addStatistics(graph, plan, { probs, weights, rows, view: context.view, sparing: options.sparing === true, alsoBefore: stored === float ? [q, k, v].filter(value => value !== undefined) : [] });
  return { ...taps, statistics };
}

function tapMask({ graph, options, view }: Context, plan: SitePlan, term: SitePlan['masks'][number], probs: string | undefined): MaskTap {
  const type = term.as === 'add' ? float : uint8, cast = times(graph, graph.cast(term.value, type), term.times), dims = view.dims(term.value) ?? plan.added?.dims.get(term.value);
  const value = term.merged ? splitBatch(graph, cast, plan.site.heads ?? 1) : term.windows ? graph.reshape(cast, graph.concat([graph.ints([-1]), graph.slice(graph.shape(cast), 0, 2, 5)], 0)) : cast, perQuery = !dims || dims.length < 2 || dims[dims.length - 2] !== 1;
  if (!options.broadcastMasks || probs === undefined || !plan.softmax) return { output: graph.output(value, type), as: term.as, perQuery };
  const shape = graph.shape(probs), part = (axis: number): string => graph.slice(shape, 0, axis, axis + 1);
  return { output: graph.output(graph.node('Expand', [value, graph.concat([part(0), graph.ints([1]), perQuery ? part(2) : graph.ints([1]), part(3)], 0)]), type), as: term.as, perQuery };
}

/** A float value times scalars. */
function times(graph: TapGraph, value: string, factors: readonly ScaleFactor[] = []): string {
  return factors.reduce((product, factor) => ('constant' in factor ? graph.node('Mul', [product, graph.floats(factor.constant ** factor.power)]) : graph.node(factor.power === 1 ? 'Mul' : 'Div', [product, graph.cast(factor.value, float)])), value);
}

/** [1] bool-like int64: 1 where the site's queries are the tokens of `side`. */
function queriesAreTokens(graph: TapGraph, side: string, like: string): string {
  const real = graph.input(`${side}.real`, float, ['attnscope.batch', `attnscope.${side}`]);
  const shape = graph.shape(like);
  const queries = graph.node('Equal', [graph.slice(shape, 0, 2, 3), graph.dim(real, 1)]);
  const batch = graph.node('Equal', [graph.slice(shape, 0, 0, 1), graph.dim(real, 0)]);
  return graph.node('And', [queries, batch]);
}

/** Weight of each query row, float32 [batch, 1, query, 1]: what was fed where the queries are the tokens, otherwise 1. */
function realRows(context: Context, side: string | undefined, probs: string): string {
  const { graph } = context, shape = graph.shape(probs);
  const batch = graph.slice(shape, 0, 0, 1), queries = graph.slice(shape, 0, 2, 3);
  const dims = graph.concat([batch, graph.ints([1]), queries, graph.ints([1])], 0);
  if (side === undefined) return graph.node('Expand', [graph.floats(1), dims]);
  context.sides.add(side);
  const real = graph.input(`${side}.real`, float, ['attnscope.batch', `attnscope.${side}`]);
  const all = graph.node('Mul', [graph.dim(real, 0), graph.dim(real, 1)]);
  // One more number, 1, behind the fed ones is what every row reads that is no token.
  const numbers = graph.concat([graph.reshape(real, [-1]), graph.floats([1])], 0);
  const count = graph.node('Mul', [batch, queries]);
  const index = graph.node('Where', [queriesAreTokens(graph, side, probs), graph.least(graph.range(count), all), all]);
  return graph.reshape(graph.node('Gather', [numbers, index], { axis: 0 }), dims);
}

/** Queries kept for parity, int64 [n]: what was fed where the queries are the tokens, otherwise evenly spread with the first and the last. */
function keptRows(context: Context, side: string | undefined, like: string | undefined): string {
  const { graph } = context;
  if (like === undefined) return graph.ints([0]);
  const queries = graph.slice(graph.shape(like), 0, 2, 3);
  const count = graph.least(queries, graph.ints([rowsKept]));
  const most = graph.largest(graph.node('Sub', [count, graph.ints([1])]), graph.ints([1]));
  const even = graph.node('Div', [graph.node('Mul', [graph.range(count), graph.node('Sub', [queries, graph.ints([1])])]), most]);
  if (side === undefined) return even;
  context.sides.add(side);
  const fed = graph.input(`${side}.rows`, int64, [`attnscope.${side}.kept`]), length = graph.shape(fed), both = graph.concat([fed, even], 0);
  const tokens = queriesAreTokens(graph, side, like);
  const start = graph.node('Where', [tokens, graph.ints([0]), length]);
  const end = graph.node('Where', [tokens, length, graph.shape(both)]);
  return graph.node('Slice', [both, start, end, graph.ints([0])]);
}
