/** The manifest of an `.attntrace` file (reference: cli-and-trace), what `show --json` prints, and the tables both need. */
import type { ModelInfo, Site } from './site.ts';

export const formatVersion = 1;

export type Dtype = 'F64' | 'F32' | 'F16' | 'I64' | 'I32' | 'U8' | 'BOOL';
export interface TensorEntry { readonly dtype: Dtype; readonly shape: readonly number[]; readonly data_offsets: readonly [number, number] }

/** An image that a model was fed, one a sample. Lengths in pixels. */
export interface TraceImage {
  /** Absolute path; undefined where pixel values were given as tensors, and `width` and `height` are theirs. */
  readonly path?: string;
  readonly sha256?: string;
  /** Upright, as EXIF says. */
  readonly width: number;
  readonly height: number;
  /** Name of a stored U8 tensor: a PNG of it, at most 640 pixels a side, so that the trace stands alone. */
  readonly picture: string;
  /** The input of the graph. */
  readonly input: string;
  /** How it became pixel values, a phrase. */
  readonly prepared: string;
  readonly fed: readonly [height: number, width: number];
  /** A fed pixel (x, y) lies at ((x + offset[0]) · scale[0], (y + offset[1]) · scale[1]) of the image. */
  readonly offset: readonly [x: number, y: number];
  readonly scale: readonly [x: number, y: number];
  /**
   * The patch grid of the vision tower, and the fed pixels that it covers (less than all where patches do not fit). Rows and columns are 0
   * where it is unknown. `merge`: positions go through blocks of merge × merge patches, row by row inside (Qwen2-VL), not through rows.
   */
  readonly patches: { readonly rows: number; readonly columns: number; readonly merge?: number };
  readonly covered: readonly [height: number, width: number];
  /** The tokens of a language model that stand for it: half-open runs of positions, in the order of the grid; `problem`: why they are not as many as the grid has. */
  readonly tokens?: ImageTokens;
}

/** `runs`: of all of them, separators among them too where they have the same id. `rows`, `columns`: of the grid that they are, where there are no `views`. */
export interface ImageTokens {
  readonly id: number;
  readonly runs: readonly (readonly [number, number])[];
  readonly rows: number;
  readonly columns: number;
  readonly problem?: string;
  /** Where they are not simply the patches row by row: tiles, merged patches, several pictures of one image. The finest first. */
  readonly views?: readonly ImageView[];
}

/** A grid of tokens on a part of the image: `whole` shows it small beside `tiles`, `image` stands alone. */
export interface ImageView {
  readonly name: 'image' | 'tiles' | 'whole';
  readonly rows: number;
  readonly columns: number;
  /** Positions of the cells, row by row, as half-open runs. */
  readonly runs: readonly (readonly [number, number])[];
  /** Pixels of the image that the grid covers; beyond its edges where the model saw padding. */
  readonly box: readonly [left: number, top: number, right: number, bottom: number];
}

/** Tokens of one side of a model, per sample. */
export interface TokenSequence {
  /** Undefined when ids or tensors were given, and for tokens that were generated. */
  readonly text?: string;
  readonly ids: readonly (readonly number[])[];
  /** Token strings as a person reads them (byte-level pieces decoded); `#id` without a tokenizer. */
  readonly tokens: readonly (readonly string[])[];
  /** [start, end) in UTF-16 code units of `text` (of `pair` where `segments` says 1), or null for tokens that stand for no text. Empty without text. */
  readonly spans: readonly (readonly (readonly [number, number] | null)[])[];
  /** 1 for a real token, 0 for padding; per sample. */
  readonly real: readonly (readonly number[])[];
}

/** Sound as an encoder read it. */
export interface AudioInput {
  /** Absolute path; undefined where the features were given. */
  readonly file?: string;
  /** Length of the file, which may be longer than what the model takes. */
  readonly seconds?: number;
  /** Of sound that one position of the encoder stands for. */
  readonly secondsPerPosition?: number;
  /** Positions of the encoder. */
  readonly positions: number;
}

/** What a person gave the model: of a sequence-to-sequence model what its encoder read (where that is sound, the decoder's tokens). Everything per sample of the batch. */
export interface TraceInput extends TokenSequence {
  /** Sequence-to-sequence models: what the decoder read, where the encoder read tokens too. */
  readonly target?: TokenSequence;
  /** How many of the decoder's tokens were given; the others it generated. Undefined where nothing was generated. */
  readonly given?: number;
  /** Sound that the encoder read. */
  readonly audio?: AudioInput;
  /** The message that the chat template made `text` of. */
  readonly message?: string;
  /** The second segment, where the prompt was two texts. */
  readonly pair?: string;
  /** Where the prompt was two texts: 0 for tokens of the first, 1 for those of the second; the template's tokens belong to the text before them. Per sample. */
  readonly segments?: readonly (readonly number[])[];
  /** Ids, as the files beside the model have them, of the token that starts every text and of the one that stands for what the vocabulary lacks. */
  readonly special?: { readonly start?: number; readonly unknown?: number };
  /** One a sample, where the model takes images. */
  readonly images?: readonly TraceImage[];
}

/**
 * How a site's probabilities are rebuilt exactly from q and k:
 * scores = scale · q·kᵀ (query head h reads kv head ⌊h·kvHeads/heads⌋) → softcap·tanh(s/softcap) → + bias → invisible keys out → softmax.
 * A key is invisible to a query when the rule, `keys`, `blocks` or a bias ≤ −1e4 says so. Rows that see no key are all zeros.
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
  /**
   * Block-sparse: a stored U8 tensor [layout, row of blocks, block of keys], 1 = visible, in blocks of `size` positions; head h follows layout h mod layouts.
   * Key j is visible to query i only if its cell of block ⌊(i + offset)/size⌋ × ⌊j/size⌋ is 1. Undefined: none.
   */
  readonly blocks?: { readonly tensor: string; readonly size: number; readonly offset: number };
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

/** How tokens are drawn; null: not limited. */
export interface Sampling { readonly temperature: number; readonly topK: number | null; readonly topP: number | null; readonly seed: number }

/** What a decoder wrote itself, one token a step: positions from `from` on. */
export interface Generated {
  readonly from: number;
  /** One a generated token: how likely it was, and the five most likely ones, in the place of which it was chosen. */
  readonly steps: readonly { readonly probability: number; readonly alternatives: readonly NextToken[] }[];
  /** `cache`: each step ran the new token alone. `again`: a model without a cache, run over all tokens for every new one. */
  readonly how: 'cache' | 'again';
  /** `end`: the last token ends a text; `length`: as many as were asked for. */
  readonly stopped: 'end' | 'length';
  /** Undefined: always the most likely token. */
  readonly sampling?: Sampling;
}

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
  /** What config.json beside the model says of its attention, as far as a graph may have lost it. */
  readonly expected?: { readonly softcap?: number };
  /** Inputs that the user did not give: name → how each was filled, a phrase. */
  readonly filledInputs: Readonly<Record<string, string>>;
  readonly device: string;
  readonly runtime: Readonly<Record<string, string>>;
  readonly timesMs: Readonly<Record<string, number>>;
  /** Per site, per batch, per head. */
  readonly heads: Readonly<Record<string, readonly HeadStats[]>>;
  /** Where the model went on by itself. */
  readonly generated?: Generated;
  /** Undefined in traces of older versions. */
  readonly health?: Health;
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
  /** Share of the queries that see at least two keys and give one of them over 0.999. */
  readonly saturation: number;
  /** Mean over queries of the probability on the first real key. */
  readonly firstTokenShare: number;
  /** Largest importance of a key behind the first real one, its own query left out, and that key. Undefined in traces of older versions. */
  readonly secondarySink?: number;
  readonly secondarySinkKey?: number;
}

/** Whether the numbers themselves can be trusted, and how near they are to where they no longer could. */
export interface Health {
  readonly sites: Readonly<Record<string, SiteHealth>>;
  /** Of the logits that next tokens are read from: index [batch, id]. */
  readonly logits?: NotFinite;
}

export interface SiteHealth {
  /** Undefined without q and k. */
  readonly product?: LargestProduct;
  /** Of hook_q, hook_k, hook_v and the statistics of rows, in this order; empty when all is well. */
  readonly notFinite: readonly NotFinite[];
  /** The head that gives most of its attention to padding; undefined where nothing is padded or keys are no tokens. */
  readonly padding?: { readonly batch: number; readonly head: number; /** Mean over its real queries. */ readonly share: number };
  /** In the order of `heads`: length of the sink key's value over the mean length of the other real keys' values; −1 where there is none. */
  readonly sinkValues: readonly number[];
}

/** The largest |q·k| before scale, softcap and mask, over every query and key: kernels compute hidden pairs too. */
export interface LargestProduct {
  readonly value: number;
  /** False: `value` is what |q·k| cannot exceed (by Cauchy and Schwarz, from the lengths of q and k). */
  readonly exact: boolean;
  readonly batch: number;
  readonly head: number;
  /** Where it is exact. */
  readonly query?: number;
  readonly key?: number;
}

/** The first number of a tensor that is none, and how many there are. */
export interface NotFinite { readonly tensor: string; readonly index: readonly number[]; readonly value: 'NaN' | 'Infinity' | '-Infinity'; readonly count: number }

export type MetricName = Exclude<keyof HeadStats, 'batch' | 'head'>;

/** What a metric of the registry says about itself: enough to name, write, color and rank its numbers without knowing it. */
export interface MetricCard {
  readonly name: MetricName;
  readonly title: string;
  /** One sentence: what the number says. */
  readonly summary: string;
  /** First author, year, arXiv id; empty when it is common or ours. */
  readonly cite: string;
  /** `share`: of attention, 0 to 1; `position`: of a key, which has no order of better and worse. */
  readonly unit: 'share' | 'nats' | 'tokens' | 'tokens²' | 'position';
  /** Means something only where queries and keys are positions of one sequence. */
  readonly selfOnly: boolean;
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
