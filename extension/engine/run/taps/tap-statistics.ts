/** Statistics inside the graph, beside each visible softmax: a few passes over the probabilities and nothing of their size written. */
import { dataType, type GraphView } from '../../onnx/model.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import type { TapGraph } from './tap-graph.ts';
import { asMatrix, canonical } from './tap-layout.ts';

/** Outputs of the tapped graph; float32 [batch, head, query] unless said. */
export interface StatisticsTaps {
  /** Key of the largest probability (int64), that probability p, and its score s: lse = s − ln p for any key. */
  readonly maxKey: string; readonly max: string; readonly maxScore: string;
  /** Σ_j p·s: entropy = lse − Σ p·s. */
  readonly meanScore: string;
  /** Σ_j p, where a sink takes its part of it. */
  readonly total?: string;
  /** `meanScore` is of products q·k: it has yet to be multiplied by the scale. */
  readonly unscaled: boolean;
  /** [batch, head, key]: column sums over real rows, and the same with each row i weighing i − queries / 2. */
  readonly received: string; readonly receivedFrom: string;
  /** [batch, head, 32, 32] */
  readonly pooled: string;
  /** [batch, head, rows, key] */
  readonly ownPattern: string;
}

const { float, int64 } = dataType;
const bins = 32;

interface Around {
  /** float32 [batch, head, query, key] */
  readonly probs: string;
  /** float32 [batch, 1, query, 1] */
  readonly weights: string;
  /** int64 [n] */
  readonly rows: string;
  readonly view: GraphView;
  /** Where that can be had, nothing of the size of the probabilities is made: quicker, too, once they outgrow the caches. */
  readonly sparing: boolean;
  /** float32 values that shall be there as well before the model goes on, so that what they are copied from can go. */
  readonly alsoBefore: readonly string[];
}

/**
 * Adds the statistics of one site, and makes the readers of its output wait for them. As plain outputs they would run last and keep
 * every layer's probabilities alive. The readers get the same bits; shapes stay known, or onnxruntime would no longer work in place.
 */
export function addStatistics(graph: TapGraph, plan: SitePlan, around: Around): StatisticsTaps {
  const { probs, weights, rows } = around, softmax = plan.softmax!;
  const shape = graph.shape(probs), queries = graph.slice(shape, 0, 2, 3), keys = graph.slice(shape, 0, 3, 4);
  // For any key that is seen, lse = score − ln probability: so one pass for the largest and its place serves three statistics.
  const place = graph.node('ArgMax', [probs], { axis: 3, keepdims: 1 });
  const max = graph.squeeze(graph.node('GatherElements', [probs, place], { axis: 3 }), [3]);
  // A product with a single row reads the probabilities once and packs nothing: two of them are quicker than one with two rows.
  const across = graph.transpose(weights, [0, 1, 3, 2]), columnSums = (row: string): string => graph.squeeze(graph.node('MatMul', [row, probs]), [2]);
  const received = columnSums(across), receivedFrom = columnSums(graph.node('Mul', [across, centred(graph, queries)]));
  // The graph's own score, with the graph's own rounding: the rebuilt one would be off for a whole row.
  const scores = graph.cast(asMatrix(graph, softmax.scores, softmax.layout, plan.site.heads), float);
  const maxScore = graph.squeeze(graph.node('GatherElements', [scores, place], { axis: 3 }), [3]);
  const { meanScore, binned, unscaled } = (around.sparing ? fromProducts(graph, plan, probs, keys) : undefined) ?? fromScores(graph, plan, around, scores, keys);
  const total = plan.sink === undefined ? undefined : graph.reduceSum(probs, [3], 0);
  const pooled = graph.node('MatMul', [rowBins(graph, weights, queries), binned]);
  const ownPattern = graph.node('Gather', [probs, rows], { axis: 2 });
  const last = plan.out?.value ?? softmax.probs;
  graph.rewire(last, graph.after(last, [max, maxScore, received, receivedFrom, pooled, meanScore, ownPattern, ...(total ? [total] : []), ...around.alsoBefore]));
  return {
    maxKey: graph.output(graph.squeeze(place, [3]), int64), max: graph.output(max, float), maxScore: graph.output(maxScore, float),
    meanScore: graph.output(meanScore, float), unscaled, ...(total ? { total: graph.output(total, float) } : {}),
    received: graph.output(received, float), receivedFrom: graph.output(receivedFrom, float),
    pooled: graph.output(pooled, float), ownPattern: graph.output(ownPattern, float),
  };
}

/** `binned`: float32 [batch, head, query, 32], the mass on each bin of keys. */
interface Scores { readonly meanScore: string; readonly binned: string; readonly unscaled: boolean }

/**
 * Where scores are scaled products and masks alone: visible cells get nothing added, hidden ones have no probability. Then
 * Σ_j p·(q·k_j) = q·(p·k), and nothing of the size of the probabilities is made. One product with few columns serves both; the probabilities are its left operand, read once and not
 * repacked. Query heads that share a key head are folded into its rows.
 */
function fromProducts(graph: TapGraph, plan: SitePlan, probs: string, keys: string): Scores | undefined {
  if (!plan.q || !plan.k || plan.softcap !== 0 || plan.site.mask.additive || plan.site.sinkLogit) return undefined;
  const q = canonical(graph, plan.q, 'b h s d'), k = canonical(graph, plan.k, 'b h s d'), shape = graph.shape(probs), like = graph.shape(q);
  const kShape = graph.shape(k), dim = graph.slice(kShape, 0, 3, 4), perKeyHead = graph.slice(kShape, 0, 0, 2);
  const folded = (value: string, last: string): string => graph.reshape(value, graph.concat([perKeyHead, graph.ints([-1]), last], 0));
  const columns = graph.node('Expand', [binsOf(graph, keys), graph.concat([graph.slice(kShape, 0, 0, 3), graph.ints([bins])], 0)]);
  const wide = graph.node('MatMul', [folded(probs, keys), graph.concat([k, columns], 3)]), end = graph.node('Add', [dim, graph.ints([bins])]);
  const part = (from: string, to: string): string => graph.node('Slice', [wide, from, to, graph.ints([3])]);
  const withQ = (value: string): string => graph.reduceSum(graph.node('Mul', [q, graph.reshape(value, like)]), [3], 0);
  return {
    meanScore: withQ(part(graph.ints([0]), dim)), unscaled: true,
    binned: graph.reshape(part(dim, end), graph.concat([graph.slice(shape, 0, 0, 3), graph.ints([bins])], 0)),
  };
}

/** From the graph's own scores. */
function fromScores(graph: TapGraph, plan: SitePlan, { probs, view }: Around, scores: string, keys: string): Scores {
  const finite = staysFinite(plan, view) ? scores : graph.node('Max', [scores, graph.floats([-1e30])]);
  return {
    meanScore: graph.reduceSum(graph.node('Mul', [probs, finite]), [3], 0),
    binned: graph.node('MatMul', [probs, binsOf(graph, keys)]), unscaled: false,
  };
}

/** float32 [n]: position − n / 2. */
function centred(graph: TapGraph, count: string): string {
  return graph.node('Sub', [graph.cast(graph.range(count), float), graph.node('Div', [graph.cast(count, float), graph.floats([2])])]);
}

/** float32 [n, 32]: 1 where position i of n belongs to bin a = ⌊i·A/n⌋, A = min(n, 32). */
function binsOf(graph: TapGraph, count: string): string {
  const bin = graph.node('Div', [graph.node('Mul', [graph.range(count), graph.least(count, graph.ints([bins]))]), count]);
  const all = graph.ints(Array.from({ length: bins }, (_, a) => a));
  return graph.cast(graph.node('Equal', [graph.unsqueeze(bin, [1]), graph.unsqueeze(all, [0])]), float);
}

/** float32 [batch, 1, 32, query]: rows that average over a bin's real queries. */
function rowBins(graph: TapGraph, weights: string, queries: string): string {
  const hot = graph.unsqueeze(graph.transpose(binsOf(graph, queries), [1, 0]), [0, 1]);
  const weighted = graph.node('Mul', [hot, graph.transpose(weights, [0, 1, 3, 2])]);
  return graph.node('Div', [weighted, graph.node('Max', [graph.reduceSum(weighted, [3], 1), graph.floats(1)])]);
}

/** Whether the scores are known to be finite where a cell is hidden: no −inf among the numbers that the masks are made of. */
function staysFinite(plan: SitePlan, view: GraphView): boolean {
  const seen = new Set<string>();
  const finite = (value: string, depth: number): boolean => {
    if (value === '' || seen.has(value)) return true;
    seen.add(value);
    const constant = view.constant(value);
    if (constant) return constant.data.every(number => number > -Infinity);
    const node = view.producer(value);
    if (!node) return !view.graph.initializers.has(value);
    return depth < 100 && node.attributes.get('value')?.tensor === undefined && node.inputs.every(input => finite(input, depth + 1));
  };
  return plan.masks.every(({ value, as }) => as === 'add' && finite(value, 0));
}
