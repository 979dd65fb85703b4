/**
 * What the runner hands to analysis: a part file that already has the trace's layout (header space reserved, tensors behind it,
 * nothing between), a side file with what is only needed to complete it, and this index as JSON beside them. Types only.
 * Names of the files: `captureFiles(out)`; both are written by `PartWriter` (part-writer.ts), the index by `writeIndex`; completed by
 * engine/analysis/complete.ts. Statistics that come from the graph mean, over real queries that see a key: `received` = column sums of the
 * probabilities; `pooled` with R = min(queries, 32), C = min(keys, 32) bins, bin a owning rows ⌈aT/R⌉ … ⌈(a+1)T/R⌉−1: mean over the bin's
 * real rows of the mass on the bin's keys (so that rows of the picture sum to 1), 0 in the bins beyond R, C. Padding and empty queries
 * weigh nothing. Completion checks the sums, and computes afresh where they are wrong.
 */
import type { ModelInfo, Site } from '../../contract/site.ts';
import type { Dtype, KeptLayers, Manifest, NextToken, NotFinite, TraceInput } from '../../contract/trace.ts';

export interface StoredTensor { readonly dtype: Dtype; readonly shape: readonly number[]; /** Byte offset in its file. */ readonly offset: number; readonly length: number }

export interface CaptureIndex {
  readonly out: string;
  readonly part: string;
  readonly side: string;
  /** Bytes kept free for the header at the start of `part`. */
  readonly headerSpace: number;
  /** hook_q, hook_k, hook_v, …, and stats.* of sites whose softmax is visible, in file order. */
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  /** Names below refer to these. */
  readonly sideTensors: Readonly<Record<string, StoredTensor>>;
  readonly sites: readonly SiteCapture[];
  readonly model: ModelInfo & { readonly path: string };
  readonly input: TraceInput;
  readonly next: readonly (readonly NextToken[])[];
  /** The first logit that is not finite: there are no next tokens then. */
  readonly logits?: NotFinite;
  readonly generated?: Manifest['generated'];
  readonly expected?: Manifest['expected'];
  readonly filledInputs: Readonly<Record<string, string>>;
  readonly device: string;
  readonly runtime: Readonly<Record<string, string>>;
  readonly timesMs: Readonly<Record<string, number>>;
  /** Asked for by the user: the pattern is kept although it can be recomputed. */
  readonly keepPattern: boolean;
  /** Asked for by the user: only the sites of these layers are here. */
  readonly kept?: KeptLayers;
}

export interface SiteCapture {
  /** Filled: no nulls left where the run shows the number. */
  readonly site: Site;
  /** Type of q, k, v as stored. */
  readonly dtype: 'F32' | 'F16';
  /** The graph computed in float16. */
  readonly half?: true;
  /** The operator's own rule; `offset` already a number. Window: keys p−left ≤ j ≤ p+right with p = query + offset; −1 is unbounded. */
  readonly rule: { readonly causal: boolean; readonly offset: number; readonly window: readonly [number, number] | null };
  readonly softcap: number;
  /** Largest errors by rounding to 8 bits inside the graph: of a score, of the probabilities that are kept and that are multiplied, of the output. */
  readonly rounding?: { readonly score: number; readonly pattern: number; readonly mixed: number; readonly out: number };
  /** Mask terms as the graph computed them, side tensors, broadcastable to [batch, head, query, key]; the same name where sites share one. */
  readonly masks: readonly { readonly tensor: string; readonly as: 'add' | 'keep' | 'drop' }[];
  /** Side tensors float32 [layout, rows of blocks + 1] and [layout, entries] (compressed rows: where each begins, and its blocks of keys, −1 behind the end), in blocks of `size` positions. */
  readonly blocks?: { readonly rows: string; readonly columns: string; readonly size: number; /** Position of query 0. */ readonly offset: number };
  /** Side tensor [head] float32: sink logits in the denominator, where `site.sinkLogit`. */
  readonly sink?: string;
  /** Statistics came from the graph: stats.* are in `tensors`. */
  readonly statistics: 'graph' | 'missing';
  /** Query rows whose own values were kept for parity, ascending; at least 64 or all, first and last real ones among them. */
  readonly rows: readonly number[];
  /** Side tensor [batch, head, rows, key] float32 with the graph's own probabilities of these rows. */
  readonly ownPattern?: string;
  /** Side tensor [batch, rows, head, valueDim] float32 with the site's own output of these rows. */
  readonly ownOutput?: string;
  /** Side tensor [batch, head, key] float32: Σ_i p·(i − queries / 2) over real queries; for distances. */
  readonly receivedFrom?: string;
}
