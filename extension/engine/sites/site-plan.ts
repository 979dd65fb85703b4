/** What a recogniser found: the site for people, and where in the graph its parts can be read. Types only. */
import type { RefusedSite, Site } from '../../contract/site.ts';
import type { Added } from '../onnx/graph-builder.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import type { OperatorRow } from './operator-row.ts';

export type { GraphView };

/** How [batch, position, head, dim] lies in a value, outermost first; parentheses merge axes (einops). `t` layouts of k are already transposed. */
export type Layout = 'b h s d' | 'b s h d' | 's b h d' | 'b h d s' | 'b s (h d)' | '(b h) s d' | '(b h) d s' | 'h s d' | 'h d s' | 's h d' | 's (h d)' | 'b s d' | 'b d s';

export interface Operand {
  /** Name of the value in the graph, before score scaling and before key/value heads are repeated. */
  readonly value: string;
  readonly layout: Layout;
  /** Needed where the layout merges heads. */
  readonly heads: number | null;
  /** Part of the last axis that is this operand (packed projections). */
  readonly slice?: readonly [start: number, end: number];
}

/** A scalar that multiplies (power 1) or divides (power −1) the scores; a value that the graph computes is tapped at run time. */
export type ScaleFactor = { readonly constant: number; readonly power: 1 | -1 } | { readonly value: string; readonly power: 1 | -1 };

/** Something that takes part in masking: added to the scores, or booleans that keep (true = visible) or drop (true = hidden) cells. Broadcastable to [b, h, q, k]. */
export interface MaskTerm {
  readonly value: string;
  readonly as: 'add' | 'keep' | 'drop';
  /** Where it has three axes and the first is not of size one, that axis merges batch and heads, [(b h), q, k], to be split before it is broadcast. */
  readonly merged?: true;
  /** It has five axes, [batch, window, head, query, key], of which the first two are the batch of the scores. */
  readonly windows?: true;
  /** What an added value is multiplied by: a bias that is scaled with the scores, or one that is subtracted. */
  readonly times?: readonly ScaleFactor[];
}

export interface SitePlan {
  readonly site: Site;
  /** These four are undefined where `site.capture` is `softmax-only`. */
  readonly q: Operand | undefined;
  readonly k: Operand | undefined;
  readonly v: Operand | undefined;
  /** The site's own output before W_O. */
  readonly out: Operand | undefined;
  readonly scale: readonly ScaleFactor[];
  /** Softcap value applied to scaled scores; 0 none. */
  readonly softcap: number;
  readonly masks: readonly MaskTerm[];
  /**
   * A rule the operator itself applies, beyond `masks`. `offset`: 0 (top-left), or the length of the past (keys − queries). Window: keys p−left ≤ j ≤ p+right
   * with p = query + offset, −1 unbounded. `unless`: a value of one number; where a run makes it other than 0, the rule does not hold, and the masks say all.
   */
  readonly rule: { readonly causal: boolean; readonly offset: 'zero' | 'past'; readonly window: readonly [number, number] | null; readonly unless?: string };
  /** Where probabilities exist: value that the softmax reads (after masks), value that it writes (behind a guard that turns rows of NaN into zeros, where there is one), their layout. */
  readonly softmax?: { readonly scores: string; readonly probs: string; readonly layout: 'b h q k' | '(b h) q k' | 'h q k' | 'b q k' | 'b k q' | 'b k' };
  /** Largest errors by rounding to 8 bits: of a score before the softmax, of the probabilities as `softmax.probs` has them and as they are multiplied, of `out`. */
  readonly rounding?: { readonly score: number; readonly pattern: number; readonly mixed: number; readonly out: number };
  /** Logits that take part in the denominator only (attention sinks, smooth softmax): a value of one number a head, of any shape. */
  readonly sink?: string;
  /** Of linear attention: a value [batch, head, query, key] with the weights that each output gives to each v, and a value like the output with what a past state adds to it. */
  readonly implied?: { readonly weights: string; readonly before?: string };
  /** Block-sparse attention: values [layout, rows of blocks + 1] and [layout, entries] with compressed rows; head h follows layout h mod layouts. */
  readonly blocks?: { readonly rows: string; readonly columns: string; readonly size: number };
  /** An input and an output of the model that must be one buffer, or its operator does not run. */
  readonly shared?: readonly { readonly input: string; readonly output: string }[];
  /** What the tapped graph gets for this site; the operands, masks, scales and the sink may name its outputs. What a fused operator hides: q after its rotary embedding, k with the past, masks from lengths. */
  readonly added?: Added;
  /** The graph computes this site in float16, so that its own numbers are rounded to it. */
  readonly half?: true;
  /** All nodes of the match; the match that covers most wins. */
  readonly nodes: readonly Node[];
}

/** A graph pattern: claims a node, then opens what surrounds it. One file each in patterns/. */
export interface Pattern {
  readonly id: string;
  readonly title: string;
  /** What it reads and what it refuses: its rows of OPERATORS.md. */
  readonly operators: readonly OperatorRow[];
  match(node: Node, view: GraphView): SitePlan | RefusedSite | undefined;
}
