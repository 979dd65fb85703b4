/** An attention site as everybody outside the engine sees it: the JSON of `attnscope sites --json` and of the trace manifest. */

export type SiteKind = 'self' | 'cross';
export type SiteForm = 'dense' | 'window' | 'reduced' | 'linear';
export type CaptureWay = 'graph' | 'recomputed' | 'softmax-only';
export type SourceLevel = 'stack-trace' | 'class-hierarchy' | 'node-path' | 'initializer' | 'none';

export interface MaskShape {
  readonly causal: boolean;
  /** Keys visible to the left including the query itself, or [left, right]; null: no window. */
  readonly window: number | readonly [number, number] | null;
  /** A key-padding mask from the model's inputs takes part. */
  readonly padding: boolean;
  /** An additive bias beyond masking (ALiBi, relative positions) takes part. */
  readonly additive: boolean;
}

export interface SiteSource {
  /** Dotted module path in the user's model, as `model.layers.0.self_attn`. */
  readonly module: string | null;
  readonly class: string | null;
  /** As the exporter wrote it: the exporting machine's path. */
  readonly file: string | null;
  /** 1-based line in `file`. */
  readonly line: number | null;
  /** That line as the exporter wrote it, without its indentation. */
  readonly text?: string;
  /** Python module of `class`, where the exporter wrote it: `transformers.models.llama.modeling_llama`. */
  readonly classModule?: string;
  readonly level: SourceLevel;
}

/** Numbers that the graph leaves open (dynamic) are null, and filled in a trace. */
export interface Site {
  /** `blocks.10.attn`, `vision.blocks.3.attn`, `decoder.blocks.0.cross_attn`, … */
  readonly name: string;
  /** `main`, or `encoder`, `decoder`, `vision`, `text`, `audio`. */
  readonly stack: string;
  readonly layer: number;
  readonly kind: SiteKind;
  readonly form: SiteForm;
  readonly heads: number | null;
  readonly kvHeads: number | null;
  readonly headDim: number | null;
  readonly valueDim: number | null;
  readonly mask: MaskShape;
  readonly scale: number | null;
  readonly softcap: number | null;
  readonly sinkLogit: boolean;
  /** Heads of a speech model's cross-attention that follow the sound in time, as generation_config.json lists them. */
  readonly alignmentHeads?: readonly number[];
  readonly operator: string;
  readonly node: string;
  readonly capture: CaptureWay;
  /** Of `softmax-only`: why nothing more could be read, as a sentence. */
  readonly why?: string;
  /** Names of values in the original graph, for people. */
  readonly taps: { readonly q: string | null; readonly k: string | null; readonly v: string | null; readonly probs: string | null; readonly out: string | null };
  readonly source: SiteSource;
  /** Names of values of the block around the site; null where the graph does not show them. */
  readonly block?: BlockValues | null;
  /** Where W_Q, W_K, W_V and W_O lie among the model's weights; each null where it is no product with an initializer. */
  readonly weights?: ProjectionWeights;
}

/**
 * A block's part of the residual stream. Norms before attention and MLP: residPre + attnOut = residMid, residMid + mlpOut = residPost.
 * Norms behind the sums (BERT): the stream is what these norms give, residMid = norm(residPre + attnOut). In parallel blocks there is no residMid.
 */
export interface BlockValues {
  readonly residPre: string;
  /** What the projections of q read, where that is not residPre itself: the normed stream. */
  readonly ln1: string | null;
  /** What is added to the stream: behind W_O, its bias (but one that a SkipLayerNormalization adds), and norms or scales of its own. */
  readonly attnOut: string;
  readonly residMid: string | null;
  readonly ln2: string | null;
  readonly mlpOut: string | null;
  readonly residPost: string | null;
}

export interface ProjectionWeights { readonly q: WeightPlace | null; readonly k: WeightPlace | null; readonly v: WeightPlace | null; readonly o: WeightPlace | null }

/**
 * A projection inside a tensor of the model. Along `axis` (of the weight as it is stored, dequantized), head h and dim d lie at
 * at[0] + h · at[1] + d · at[2]; along the other lies the width of the stream. k and v have their own heads (GQA).
 */
export interface WeightPlace {
  /** The value that it is multiplied with, [… , width] or, for W_O, [… , head · dim]. */
  readonly reads: string;
  readonly tensor: string;
  readonly axis: 0 | 1;
  readonly at: readonly [base: number, head: number, dim: number];
  readonly heads: number;
  readonly dim: number;
  readonly width: number;
  readonly bias: WeightVector | null;
  readonly quantization: Quantization | null;
}

/** A bias; `at` as of its weight, null where it belongs to the width (W_O). */
export interface WeightVector { readonly tensor: string; readonly at: WeightPlace['at'] | null }

/** Names of tensors. `linear`: (w − zero point) · scale, a scalar, along `axis`, or in blocks along it. `blocks`: MatMulNBits, [out, in] in blocks along in. */
export type Quantization =
  | { readonly kind: 'linear'; readonly scales: string; readonly zeroPoints: string | null; readonly axis: number; readonly blockSize: number }
  | { readonly kind: 'blocks'; readonly scales: string; readonly zeroPoints: string | null; readonly bits: number; readonly blockSize: number };

export interface RefusedSite { readonly node: string; readonly operator: string; readonly reason: string }

export interface ModelInfo {
  /** File name, without folder. */
  readonly file: string;
  /** SHA-256 of the file without the bytes of its initializers. */
  readonly graphHash: string;
  readonly bytes: number;
  /** ISO 8601. */
  readonly modified: string;
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly nodes: number;
  /** Type that most weights are stored in: `fp32`, `fp16`, `int8`, `q4`, … */
  readonly dtype?: string;
  /** SHA-256 of the whole model (file and external data), in traces only. */
  readonly sha256?: string;
  /** Files beside the model that hold its weights, paths relative to its folder, as they were when it was opened. */
  readonly dataFiles?: readonly { readonly file: string; readonly bytes: number; /** ISO 8601. */ readonly modified: string }[];
}

export interface SitesReport {
  readonly formatVersion: 1;
  readonly model: ModelInfo;
  /** Names of the inputs that are fed. */
  readonly inputs: readonly string[];
  /** The input among them that takes an image. */
  readonly picture?: string;
  /** Boolean inputs that choose between branches of the graph, with the value that the list stands for (`use_cache_branch`: false). */
  readonly assumed?: Readonly<Record<string, boolean>>;
  readonly sites: readonly Site[];
  readonly refused: readonly RefusedSite[];
  /** When there are no sites: a sentence that says what was looked at. */
  readonly looked?: string;
}

/** `blocks.10.attn` and head 3 → `L10H3`; other stacks `vision.L10H3`, `decoder.cross.L10H3`; a second attention in a block `L10.2H3`. */
export function headLabel(site: Pick<Site, 'name' | 'stack' | 'layer' | 'kind'>, head: number): string {
  return `${siteLabel(site)}H${head}`;
}

export function siteLabel(site: Pick<Site, 'name' | 'stack' | 'layer' | 'kind'>): string {
  const stack = site.stack === 'main' ? '' : `${site.stack}.`;
  const cross = site.kind === 'cross' ? 'cross.' : '';
  const nth = /attn\.(\d+)$/.exec(site.name)?.[1];
  return `${stack}${cross}L${site.layer}${nth ? `.${nth}` : ''}`;
}

/** The tensor of a trace that holds the residual stream before the site, [batch, position, width]: `blocks.3.hook_resid_pre`, `encoder.blocks.3.hook_resid_pre`; before cross-attention `decoder.blocks.3.hook_resid_mid`. */
export function residualName({ stack, layer, kind }: Pick<Site, 'stack' | 'layer' | 'kind'>): string {
  return `${stack === 'main' ? '' : `${stack}.`}blocks.${layer}.${kind === 'cross' ? 'hook_resid_mid' : 'hook_resid_pre'}`;
}

/** Reads `L3H1`, `l3.h1`, `3.1`, `layer 3 head 1`, `vision.L3H1`, `decoder.cross.L3H1`, `L3.2H1`. Undefined when it is none of these. */
export function parseHead(text: string): { readonly stack: string; readonly kind: SiteKind; readonly layer: number; readonly nth: number; readonly head: number } | undefined {
  const m = /^\s*(?:(encoder|decoder|vision|text|audio)\.)?(cross\.)?(?:l(?:ayer)?\s*(\d+)(?:\.(\d+))?[\s.,]*h(?:ead)?\s*(\d+)|(\d+)\s*[.,/ ]\s*(\d+))\s*$/i.exec(text);
  if (!m) return undefined;
  return { stack: m[1]?.toLowerCase() ?? 'main', kind: m[2] ? 'cross' : 'self', layer: Number(m[3] ?? m[6]), nth: Number(m[4] ?? 0), head: Number(m[5] ?? m[7]) };
}
