/** Statistics inside the graph, beside each visible softmax: a few passes over the probabilities and nothing of their size written. */
import { dataType, type GraphView } from '../onnx/model.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import type { TapGraph } from './tap-graph.ts';
import { asMatrix, canonical } from './tap-layout.ts';

/** Outputs of the tapped graph; [batch, head, query] unless said. */
export interface StatisticsTaps {
  /** Key of the largest probability (int64), that probability p, and its score s: lse = s − ln p for any key. */
  readonly maxKey: string; readonly max: string; readonly maxScore: string;
  /** Σ_j p·s: entropy = lse − Σ p·s. */
  readonly meanScore: string;
  /** `meanScore` is of products q·k: it has yet to be multiplied by the scale. */
  readonly unscaled: boolean;
  /** float32 [batch, head, key]: column sums over real rows. */
  readonly received: string;
  /** float32 [batch, head, 32, 32] */
  readonly pooled: string;
  /** float32 [batch, head, query, 2]: Σ_j p·(j − c), Σ_j p·(j − c)², c = keys / 2. */
  readonly moments: string;
  /** float32 [batch, head, rows, key] */
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
  /** Memory counts more than time: nothing of the size of the probabilities is made, where that can be had. */
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
  const shape = graph.shape(probs), dim = (axis: number): string => graph.slice(shape, 0, axis, axis + 1);
  // For any key that is seen, lse = score − ln probability: so one pass for the largest and its place serves three statistics.
  const place = graph.node('ArgMax', [probs], { axis: 3, keepdims: 1 });
  const max = graph.squeeze(graph.node('GatherElements', [probs, place], { axis: 3 }), [3]);
  const received = graph.squeeze(graph.node('MatMul', [graph.transpose(weights, [0, 1, 3, 2]), probs]), [2]);
  // One product with few columns; the probabilities are its left operand, read once and not repacked.
  const wide = graph.node('MatMul', [probs, keyColumns(graph, dim(3))]);
  const moments = graph.slice(wide, 3, bins, bins + 2);
  const pooled = graph.node('MatMul', [rowBins(graph, weights, dim(2)), graph.slice(wide, 3, 0, bins)]);
  const scores = graph.cast(asMatrix(graph, softmax.scores, softmax.layout, plan.site.heads), float);
  const maxScore = graph.squeeze(graph.node('GatherElements', [scores, place], { axis: 3 }), [3]);
  const mean = (around.sparing && meanProduct(graph, plan, probs)) || graph.reduceSum(graph.node('Mul', [probs, staysFinite(plan, around.view) ? scores : graph.node('Max', [scores, graph.floats(-1e30)])]), [3], 0);
  const meanScore = typeof mean === 'string' ? mean : mean.value;
  const ownPattern = graph.node('Gather', [probs, rows], { axis: 2 });
  const last = plan.out?.value ?? softmax.probs;
  graph.rewire(last, graph.after(last, [max, maxScore, received, moments, pooled, meanScore, ownPattern, ...around.alsoBefore]));
  return {
    maxKey: graph.output(graph.squeeze(place, [3]), int64), max: graph.output(max, float), maxScore: graph.output(maxScore, float),
    meanScore: graph.output(meanScore, float), unscaled: typeof mean !== 'string',
    received: graph.output(received, float), pooled: graph.output(pooled, float),
    moments: graph.output(moments, float), ownPattern: graph.output(ownPattern, float),
  };
}

/** float32 [key, 34]: one column a bin (bin of key j: ⌊j·C/K⌋, C = min(K, 32)), then j − K/2 and its square. */
function keyColumns(graph: TapGraph, keys: string): string {
  const at = graph.range(keys), centred = graph.node('Sub', [graph.cast(at, float), graph.node('Div', [graph.cast(keys, float), graph.floats([2])])]);
  const column = graph.unsqueeze(centred, [1]);
  return graph.concat([oneHot(graph, at, keys), column, graph.node('Mul', [column, column])], 1);
}

/** float32 [n, 32]: 1 where position i of n belongs to bin a. */
function oneHot(graph: TapGraph, at: string, count: string): string {
  const bin = graph.node('Div', [graph.node('Mul', [at, graph.node('Min', [count, graph.ints([bins])])]), count]);
  const all = graph.ints(Array.from({ length: bins }, (_, a) => a));
  return graph.cast(graph.node('Equal', [graph.unsqueeze(bin, [1]), graph.unsqueeze(all, [0])]), float);
}

/** float32 [batch, 1, 32, query]: rows that average over a bin's real queries. */
function rowBins(graph: TapGraph, weights: string, queries: string): string {
  const hot = graph.unsqueeze(graph.transpose(oneHot(graph, graph.range(queries), queries), [1, 0]), [0, 1]);
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

/**
 * Σ_j p·(q·k_j) = q·(p·k), where scores are scaled products and masks alone: visible cells get nothing added, hidden ones have no
 * probability. Slower than p·s, but without a product as large as the scores. Query heads that share a key head are folded into its rows.
 */
function meanProduct(graph: TapGraph, plan: SitePlan, probs: string): { readonly value: string } | undefined {
  if (!plan.q || !plan.k || plan.softcap !== 0 || plan.site.mask.additive || plan.site.sinkLogit) return undefined;
  const q = canonical(graph, plan.q, 'b h s d'), k = canonical(graph, plan.k, 'b h s d'), shape = graph.shape(probs);
  const folded = graph.reshape(probs, graph.concat([graph.slice(shape, 0, 0, 1), graph.dim(k, 1), graph.ints([-1]), graph.slice(shape, 0, 3, 4)], 0));
  const mixed = graph.reshape(graph.node('MatMul', [folded, k]), graph.shape(q));
  return { value: graph.reduceSum(graph.node('Mul', [q, mixed]), [3], 0) };
}
