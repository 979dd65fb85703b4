/** Every call there is between the host (or the CLI), the two children and the panels, on one page. */
import type { TraceDiff } from './diff.ts';
import type { RunFacts } from './estimate.ts';
import type { SiteGrid } from './image-grid.ts';
import type { ImageView, KeptLayers, Manifest, MetricCard, NextToken, Sampling } from './trace.ts';
import type { SitesReport } from './site.ts';

/** Raised whenever a request or result below changes; the first message of every child is its version. */
export const apiVersion = 4;

export interface Hello {
  readonly apiVersion: number;
  readonly role: 'runner' | 'analysis';
  readonly pid: number;
  readonly versions: { readonly node: string; readonly v8: string; readonly onnxruntime?: string; readonly webgpu?: string };
}

/** Phases of a long call, in order; `done` of `total` where it counts. */
export interface Progress {
  readonly phase: 'open' | 'session' | 'run' | 'generate' | 'statistics' | 'write';
  readonly done?: number;
  readonly total?: number;
}

export type Prompt =
  /** `pair`: the second segment, joined to the first by the tokenizer's template. `image`: absolute path of a PNG or JPEG. `chat`: a message, to be put into the model's chat template. `generate`: tokens that a person let the model go on for. */
  | { readonly kind: 'text'; readonly text: string; readonly pair?: string; readonly chat?: true; readonly generate?: number; readonly image?: string }
  | { readonly kind: 'ids'; readonly ids: readonly number[]; readonly generate?: number; readonly image?: string }
  /** For models that take nothing else. */
  | { readonly kind: 'image'; readonly image: string }
  /** A safetensors file whose tensors are named as the graph's inputs, optionally with the prefix `in.`. */
  | { readonly kind: 'tensors'; readonly file: string; readonly image?: string }
  /** A WAV file. `language`: code of the language that is spoken (`en`), detected when undefined. */
  | { readonly kind: 'audio'; readonly file: string; readonly language?: string; readonly task?: 'transcribe' | 'translate'; readonly image?: undefined };

export interface TraceRequest {
  /** Absolute path of an .onnx file or of a model folder. */
  readonly model: string;
  readonly prompt: Prompt;
  /** Absolute path of the trace to publish. */
  readonly out: string;
  /** `layers`: only their sites are tapped and stored; all when undefined. */
  readonly keep?: { readonly pattern?: boolean; readonly z?: boolean; /** `found`: where it is, without a refusal where it is not. */ readonly resid?: boolean | 'found'; readonly layers?: readonly number[] };
  readonly dtype?: 'auto' | 'fp16' | 'fp32';
  /** Most tokens to generate. */
  readonly generate?: number;
  /** Drawn instead of the most likely token; what is undefined is taken from the model's generation config, `seed` 0. */
  readonly sample?: Partial<Sampling>;
}

/** What the runner leaves for analysis: two temporary files beside `out`, and what it knows. See engine/trace/capture.ts. */
export interface Captured { readonly out: string; readonly part: string }

export interface RunnerApi {
  /** Recognises sites without running anything. */
  sites(request: { readonly model: string }): SitesReport;
  /** What `capture` would cost: opens the model and reads the prompt, runs nothing of it. */
  weigh(request: TraceRequest): RunFacts;
  /** Opens, instruments, runs, and writes the capture. Reports `Progress`. */
  capture(request: TraceRequest): Captured;
}

/** A head of an open trace. */
export interface HeadRef { readonly trace: string; readonly site: string; readonly batch: number; readonly head: number }

export interface TileRequest extends HeadRef {
  /** Half-open ranges of queries and keys. */
  readonly rows: readonly [number, number];
  readonly cols: readonly [number, number];
  /** Size of the picture: cells are pooled (by `reduce`) to at most this many rows and columns. */
  readonly height: number;
  readonly width: number;
  /** `implied`: the signed weights that linear attention implies, never pooled by mean, joined or renormalised. */
  readonly of: 'prob' | 'score' | 'implied';
  readonly reduce: 'mean' | 'max';
  /**
   * Cells that are not single positions, for `prob` only: half-open runs [from, to) of queries and of keys, flattened, rising, within `rows`
   * and `cols`; of a side that is not given, every position is a cell. Such a cell is the mean over the queries of its run (of those that see any key) of the sum over its keys; `height` and
   * `width` then count runs, and pooling is over these cells. Positions in no run are left out.
   */
  readonly join?: { readonly rows?: readonly number[]; readonly cols?: readonly number[] };
  /** Keys, rising, that every row is renormalised without: its probabilities are divided by what the other keys have together. */
  readonly without?: readonly number[];
}
/** `data` is row-major [height, width]; NaN where no query sees a key of the cell (masked). */
export interface Tile { readonly rows: readonly [number, number]; readonly cols: readonly [number, number]; readonly height: number; readonly width: number; readonly data: Float32Array }

export interface OpenTrace {
  /** Id for later calls. */
  readonly trace: string;
  readonly file: string;
  readonly bytes: number;
  readonly manifest: Manifest;
  /** What the numbers of `manifest.heads` are, in the order of the registry. */
  readonly metrics: readonly MetricCard[];
  /** Per site: how many queries and keys its maps have. */
  readonly extents: Readonly<Record<string, { readonly queries: number; readonly keys: number }>>;
  /** Per site of a vision tower: how its positions lie on the image, where they do. */
  readonly grids: Readonly<Record<string, SiteGrid>>;
  /** Sites before which the residual stream is stored. */
  readonly streams: readonly string[];
  /** Sites of linear attention whose implied weights are stored. */
  readonly implied: readonly string[];
}
/** Probabilities of one head in trace `b` less those in trace `a`: of the pooled cells the one that changes most, with its sign. */
export interface DifferenceTileRequest extends Pick<TileRequest, 'site' | 'batch' | 'head' | 'rows' | 'cols' | 'height' | 'width'> { readonly a: string; readonly b: string }
/** Thumbnails of one site (of linear attention: its implied weights, signed, the largest in size of each cell): row-major [batch, head, 32, 32]; with fewer than 32 tokens only the first `min(T, 32)` bins hold anything. */
export interface Thumbnails { readonly site: string; readonly batch: number; readonly heads: number; readonly size: 32; readonly data: Float32Array }

export interface HeadRows {
  /** Per real query: lse, entropy (nats), max, max key; per key: received mass. */
  readonly entropy: Float32Array; readonly max: Float32Array; readonly maxKey: Int32Array; readonly received: Float32Array;
}

/** Where on the image a token or a patch looks: the mean over heads and sites of one tower. */
export interface LookRequest {
  readonly trace: string;
  readonly batch: number;
  /** Of one tower; the cells of all that have the grid of the first are averaged. */
  readonly sites: readonly string[];
  /** All, when undefined. */
  readonly head?: number;
  /** `row`: a position of the prompt, for a language model; `cell`: of the patch grid, below 0 an extra token (−1 is the first), for a vision tower. */
  readonly of: { readonly row: number } | { readonly cell: number };
  /** Cells that are sinks are set to 0 (per site), and the rest is divided by its sum. */
  readonly withoutSinks: boolean;
  /** `attention` (undefined): what nearly every row looks at. `state`: tokens with massive activations in the residual stream, for a language model whose trace keeps it. */
  readonly sinks?: 'attention' | 'state';
  /** Which of the image's views (`tokens.views`), the first when undefined; `sum`: all of them, on the grid of the first. */
  readonly view?: number | 'sum';
}
export interface Look {
  /** The sites that were averaged. */
  readonly sites: readonly string[];
  readonly rows: number;
  readonly columns: number;
  /** Of the view, where the image has several; beside `cellRectangle`'s own rule where undefined. */
  readonly box?: ImageView['box'];
  /** [rows, columns]; NaN where the query cannot look (other windows). Without sinks what is shown sums to 1, with them and all views to `image` + `imageSinks` of `masses`. */
  readonly cells: Float32Array;
  /** [rows, columns]: in which share of the sites the cell is a sink. */
  readonly sinks: Float32Array;
  /**
   * Of the row, as mean over heads and sites; together 1. `imageSinks` and `textSinks` are in no other part. `extra`: CLS and registers of a vision
   * tower; the others are tokens of the prompt before, between (newlines, names of tiles) and behind those of the image, and generated ones.
   */
  readonly masses: Readonly<Record<'image' | 'imageSinks' | 'textSinks' | 'extra' | 'before' | 'between' | 'behind' | 'generated', number>>;
  /** Of sinks by state: the massive dimensions, and what a token must exceed in one of them. No dimensions: the stream is massive nowhere. */
  readonly state?: { readonly dims: readonly number[]; readonly threshold: number };
  /** [site, head] of every site that was asked for: what falls on the image. Rows are as long as the largest number of heads; NaN beyond. */
  readonly shares: Float32Array;
}

/** What a list of traces says about one of them: read from its header, no tensor is. */
export interface TraceSummary {
  readonly file: string;
  readonly bytes: number;
  /** ISO 8601. */
  readonly created: string;
  readonly model: Manifest['model'];
  /** Begin of the text; of the tokens where ids or tensors were given. */
  readonly prompt: string;
  readonly batch: number;
  readonly tokens: number;
  readonly sites: number;
  /** Layers that were chosen before the run; undefined: all. */
  readonly kept?: KeptLayers;
  readonly stored: 'F32' | 'F16';
  /** `worst`: largest difference of the sites that were compared; null when none could be. */
  readonly parity: { readonly worst: number | null; readonly failed: number };
}

export interface AnalysisApi {
  /** Completes statistics, parity, metrics and verdicts of a capture and publishes it atomically. Reports `Progress`. */
  complete(request: Captured): { readonly file: string; readonly manifest: Manifest };
  /** Removes what a dead or cancelled runner left behind. */
  discard(request: { readonly out: string }): void;
  open(request: { readonly file: string }): OpenTrace;
  close(request: { readonly trace: string }): void;
  /** One a file, in their order; `problem` is a sentence for a file that is no trace. */
  summaries(request: { readonly files: readonly string[] }): readonly (TraceSummary | { readonly file: string; readonly problem: string })[];
  tile(request: TileRequest): Tile;
  thumbnails(request: { readonly trace: string; readonly site: string }): Thumbnails;
  rows(request: HeadRef): HeadRows;
  look(request: LookRequest): Look;
  /** A stored PNG of the input, by its name in the manifest. */
  picture(request: { readonly trace: string; readonly picture: string }): Uint8Array;
  /** Compares two open traces, A and B. Reports `Progress`. */
  diff(request: { readonly a: string; readonly b: string; /** Not only a sample of long ones. */ readonly allRows?: boolean; /** 0 … 1, as `TraceDiff.tolerance`. */ readonly tolerance?: number }): TraceDiff;
  /** NaN where neither trace's query sees the key; a key that one of them hides counts as 0 there. */
  differenceTile(request: DifferenceTileRequest): Tile;
  /** Writes what `attnscope map` writes. */
  exportMap(request: HeadRef & { readonly out: string }): void;
  /** Writes what `attnscope pattern` writes: all heads of a site, or one, or a rectangle of it. */
  exportPattern(request: PatternExport & { readonly out: string }): void;
  /** What this process can compute on; runs a WGSL kernel to know. */
  device(request: Record<string, never>): { readonly webgpu: string | null; readonly why?: string };
}

/** Half-open ranges of queries and keys. */
export interface PatternExport { readonly trace: string; readonly site: string; readonly head?: number; readonly rows?: readonly [number, number]; readonly cols?: readonly [number, number] }

/** What a trace panel may ask of the analysis process (forwarded by name), and of the host. */
export type PanelAnalysis = Pick<AnalysisApi, 'tile' | 'thumbnails' | 'rows' | 'look' | 'picture'>;
export interface PanelHost {
  /** First call of a panel: what it shows. */
  state(request: Record<string, never>): TracePanelState;
  /** Opens the Python source of a site in the editor beside. */
  revealSource(request: { readonly site: string }): void;
  retrace(request: Record<string, never>): void;
  restartEngine(request: Record<string, never>): void;
  /** Saves what the panel drew (PNG bytes) where the user chooses. */
  saveImage(request: { readonly name: string; readonly png: Uint8Array }): void;
  /** Asks what to export of the map, and where to. */
  exportMap(request: Record<string, never>): void;
  /** Copies a link to what the panel shows. */
  copyLink(request: Record<string, never>): void;
}
export type PanelApi = PanelAnalysis & PanelHost;

/** What the Compare panel may ask of the analysis process and of the host. */
export interface CompareHost {
  /** First call of the panel: the two traces. */
  state(request: Record<string, never>): ComparePanelState;
  /** The comparison of the two with this tolerance; made once. Reports `Progress`. */
  compared(request: { readonly tolerance: number }): TraceDiff;
  /** Shows a head in the editor of one of the two traces. */
  openHead(request: { readonly side: 'a' | 'b'; readonly site: string; readonly head: number; readonly batch: number }): void;
  restartEngine(request: Record<string, never>): void;
}
export type CompareApi = Pick<AnalysisApi, 'tile' | 'differenceTile'> & CompareHost;
export interface ComparePanelState { readonly a: OpenTrace; readonly b: OpenTrace }
export type CompareEvents = Pick<PanelEvents, 'changed'>;

/** What the host tells a panel without being asked. */
export interface PanelEvents {
  /** Something in the state changed: pull it again. */
  changed(request: Record<string, never>): void;
  /** How far the run is whose trace the panel waits for; only panels read it. */
  waiting(request: { readonly text: string }): void;
  /** Show this head (a link from a hover, a lens, a verdict). */
  reveal(request: { readonly site: string; readonly head: number; readonly batch: number }): void;
  /** How the panel is arranged, for a link; only panels read it. */
  view(request: Record<string, never>): PanelView;
  /** Arranges the panel as a link says. */
  show(request: { readonly view: unknown }): void;
  /** The map as a file. Errors: `UserError` where there is no map, or a table of it would be too large. */
  mapFile(request: { readonly as: 'png' | 'csv' | 'csv-head' }): { readonly name: string; readonly bytes: Uint8Array };
}

/** `label`: of the head that is shown, if one is; `map`: its positions in sight. */
export interface PanelView { readonly view: unknown; readonly label?: string; readonly map?: { readonly site: string; readonly head: number; readonly rows: readonly [number, number]; readonly cols: readonly [number, number] } }

export interface TracePanelState {
  readonly open: OpenTrace;
  /** The model file changed since this trace was made; a sentence, or undefined. */
  readonly stale?: string;
  /** The head to show first when the panel was opened by a link. */
  readonly reveal?: { readonly site: string; readonly head: number; readonly batch: number };
  /** The arrangement that a link asks for. */
  readonly view?: unknown;
  /** Sites whose Python source is known, so that the panel can offer the jump: site → `model.py:41`. */
  readonly sources: Readonly<Record<string, string>>;
}
export type { NextToken };
