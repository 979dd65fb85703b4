/** Statistics inside the graph, beside each visible softmax: a few passes over the probabilities and nothing of their size written. */
import { dataType, type Node } from '../onnx/model.ts';
import type { SitePlan } from '../sites/site-plan.ts';
import type { TapGraph } from './tap-graph.ts';
import { asMatrix } from './tap-layout.ts';

/** Outputs of the tapped graph; [batch, head, query] unless said. */
export interface StatisticsTaps {
  /** Key of the largest probability (int64), that probability p, and p times its score s: lse = s − ln p for any key. */
  readonly maxKey: string; readonly max: string; readonly maxProduct: string;
  /** Σ_j p·s: entropy = lse − Σ p·s. */
  readonly meanScore: string;
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
  readonly producer: (value: string) => Node | undefined;
}

/**
 * Adds the statistics of one site, and makes the readers of its output wait for them. As plain outputs they would run last and keep
 * every layer's probabilities alive. The readers get the same bits; shapes stay known, or onnxruntime would no longer work in place.
 */
export function addStatistics(graph: TapGraph, plan: SitePlan, around: Around): StatisticsTaps {
  const { probs, weights, rows } = around, softmax = plan.softmax!;
  const shape = graph.shape(probs), dim = (axis: number): string => graph.slice(shape, 0, axis, axis + 1);
  const scores = finiteScores(graph, plan, around.producer);
  // For any key that is seen, lse = score − ln probability: so one pass for the largest and its place serves three statistics.
  const place = graph.node('ArgMax', [probs], { axis: 3, keepdims: 1 });
  const max = graph.squeeze(graph.node('GatherElements', [probs, place], { axis: 3 }), [3]);
  const received = graph.squeeze(graph.node('MatMul', [graph.transpose(weights, [0, 1, 3, 2]), probs]), [2]);
  // One product with few columns; the probabilities are its left operand, read once and not repacked.
  const wide = graph.node('MatMul', [probs, keyColumns(graph, dim(3))]);
  const moments = graph.slice(wide, 3, bins, bins + 2);
  const pooled = graph.node('MatMul', [rowBins(graph, weights, dim(2)), graph.slice(wide, 3, 0, bins)]);
  // This is the last that reads the scores, so that the product takes their place in memory.
  const product = graph.node('Mul', [probs, scores.cut ? graph.node('Max', [scores.value, graph.floats(-1e30)]) : scores.value]);
  const meanScore = graph.reduceSum(product, [3], 0), maxProduct = graph.squeeze(graph.node('GatherElements', [product, place], { axis: 3 }), [3]);
  const ownPattern = graph.node('Gather', [probs, rows], { axis: 2 });
  const last = plan.out?.value ?? softmax.probs;
  graph.rewire(last, graph.after(last, [max, maxProduct, received, moments, pooled, meanScore, ownPattern]));
  return {
    maxKey: graph.output(graph.squeeze(place, [3]), int64), max: graph.output(max, float), maxProduct: graph.output(maxProduct, float),
    meanScore: graph.output(meanScore, float),
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

/**
 * Scores that are finite also where a cell is hidden, because 0 · −inf is no number. Where a mask is all that is added, they are those
 * before the mask: visible cells have the same ones, hidden cells no probability. Otherwise −inf is cut off, one more pass.
 */
function finiteScores(graph: TapGraph, plan: SitePlan, producer: (value: string) => Node | undefined): { readonly value: string; readonly cut: boolean } {
  const { masks, site } = plan, softmax = plan.softmax!;
  const unmasked = masks.length === 1 && !site.mask.additive ? beforeMask(producer, softmax.scores, masks[0].value) : undefined;
  const value = graph.cast(asMatrix(graph, unmasked ?? softmax.scores, softmax.layout, site.heads), float);
  return { value, cut: masks.length > 0 && unmasked === undefined };
}

/** The other operand where `scores` is a sum with `mask`. */
function beforeMask(producer: (value: string) => Node | undefined, scores: string, mask: string): string | undefined {
  const node = producer(scores);
  if (node?.op !== 'Add' || node.domain !== '' || !node.inputs.includes(mask)) return undefined;
  return node.inputs.find(input => input !== mask);
}
