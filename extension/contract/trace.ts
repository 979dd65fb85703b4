/** The manifest of an `.attntrace` file (reference: cli-and-trace), what `show --json` prints, and the tables both need. */
import type { ModelInfo, Site } from './site.ts';

export const formatVersion = 1;

export type Dtype = 'F64' | 'F32' | 'F16' | 'I64' | 'I32' | 'U8' | 'BOOL';
export interface TensorEntry { readonly dtype: Dtype; readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }

/** What a person gave the model. `ids`, `tokens`, `spans` per sample of the batch. */
export interface TraceInput {
  /** Undefined when ids or tensors were given. */
  readonly text?: string;
  readonly ids: readonly (readonly number[])[];
  /** Token strings as a person reads them (byte-level pieces decoded); `#id` without a tokenizer. */
  readonly tokens: readonly (readonly string[])[];
  /** [start, end) in UTF-16 code units of `text`, or null for tokens that stand for no text. Empty without text. */
  readonly spans: readonly (readonly (readonly [number, number] | null)[])[];
  /** 1 for a real token, 0 for padding; per sample. */
  readonly real: readonly (readonly number[])[];
}

/**
 * How a site's probabilities are rebuilt exactly from q and k:
 * scores = scale · q·kᵀ (query head h reads kv head ⌊h·kvHeads/heads⌋) → softcap·tanh(s/softcap) → + bias → invisible keys out → softmax.
 * A key is invisible to a query when the rule, `keys` or a bias ≤ −1e4 says so. Rows that see no key are all zeros.
 */
export interface MaskRule {
  readonly causal: boolean;
  /** Key j is visible to query i only if j ≤ i + offset (when causal). */
  readonly offset: number;
  /** Key j is visible to query i only if p−left ≤ j ≤ p+right with p = i + offset; −1 is unbounded on that side. */
  readonly window: readonly [left: number, right: number] | null;
  /** Name of a stored U8 tensor [batch, key], 1 = visible; null: all. */
  readonly keys: string | null;
  /** Name of a stored F32 tensor, broadcastable to [batch, head, query, key], added to the scores; null: none. */
  readonly bias: string | null;
  /** Name of a stored F32 tensor [head] with sink logits in the denominator; null: none. */
  readonly sink: string | null;
}

export interface Parity {
  readonly maxAbs: number | null;
  readonly of: 'pattern' | 'output' | 'none';
  /** Rows compared per head. */
  readonly rows: number;
  /** Of the stored q, k. */
  readonly dtype: 'F32' | 'F16';
  readonly tolerance: number;
  readonly ok: boolean | null;
  readonly why?: string;
}

export interface NextToken { readonly id: number; readonly token: string; readonly probability: number }

/** Which layers of a model a trace holds, when it does not hold all. */
export interface KeptLayers { readonly layers: readonly number[]; /** Sites of the whole model. */ readonly ofSites: number }

export interface Manifest {
  readonly formatVersion: number;
  readonly model: ModelInfo & { readonly path: string };
  readonly created: string;
  readonly input: TraceInput;
  readonly sites: readonly Site[];
  /** Layers that were chosen before the run; undefined: all. */
  readonly kept?: KeptLayers;
  readonly masks: Readonly<Record<string, MaskRule>>;
  readonly parity: Readonly<Record<string, Parity>>;
  /** Per site: real query rows that see no key, summed over batch and heads. */
  readonly emptyRows: Readonly<Record<string, number>>;
  /** Five most likely next tokens per sample; empty without logits. */
  readonly next: readonly (readonly NextToken[])[];
  /** Inputs that the user did not give: name → how each was filled, a phrase. */
  readonly filledInputs: Readonly<Record<string, string>>;
  readonly device: string;
  readonly runtime: Readonly<Record<string, string>>;
  readonly timesMs: Readonly<Record<string, number>>;
  /** Per site, per batch, per head. */
  readonly heads: Readonly<Record<string, readonly HeadStats[]>>;
  readonly verdicts: readonly Verdict[];
}

export interface HeadStats {
  readonly batch: number;
  readonly head: number;
  /** Largest importance of a key (alpha) and that key; attention-sink-emergence, eq. of alpha. */
  readonly sink: number;
  readonly sinkKey: number;
  /** Mean over queries, nats. */
  readonly patternEntropy: number;
  readonly prevTokenScore: number;
  readonly selfAttentionScore: number;
  readonly inductionScore: number;
  /** Mean and variance of |query − key| under the pattern. */
  readonly qkDistance: number;
  readonly qkDistanceVariance: number;
  /** Mean over queries of the row's largest probability. */
  readonly maxProb: number;
  /** Mean over queries of the probability on the first real key. */
  readonly firstTokenShare: number;
}

/** A sentence a metric lets us say, with what it stands on. */
export interface Verdict {
  readonly rule: string;
  readonly level: 'info' | 'notice' | 'warning';
  readonly text: string;
  readonly evidence: {
    readonly threshold: number;
    readonly value: number;
    /** Heads that carry the verdict, strongest first, as labels (`L3H1`). */
    readonly heads: readonly string[];
    readonly [more: string]: unknown;
  };
}

export interface ShowReport {
  readonly formatVersion: number;
  readonly model: Manifest['model'];
  readonly input: TraceInput;
  readonly next: Manifest['next'];
  readonly sites: readonly { readonly name: string; readonly parity: Parity; readonly heads: readonly HeadStats[] }[];
  readonly verdicts: readonly Verdict[];
}
