/** What comparing two traces gives: the JSON of `attnscope diff A B --json`, and what the Compare panel shows. */
import type { Manifest } from './trace.ts';

/** Keys whose overlap is counted; of a row that sees fewer than twice as many, half of what it sees. */
export const overlapKeys = 5;

/** One head of one sample, A against B, over the rows that both have and that are real tokens in both. */
export interface HeadDiff {
  readonly batch: number;
  readonly head: number;
  /** Query rows compared; with none, every number below is 0. */
  readonly rows: number;
  /** Means over rows, nats. Jensen-Shannon (Lin 1991), at most ln 2; KL(A‖B) and KL(B‖A), null where one attends to a key that the other cannot see. */
  readonly js: number;
  readonly klAB: number | null;
  readonly klBA: number | null;
  /** Mean over rows of ½·Σ|a − b|, 0 … 1. */
  readonly tv: number;
  /** Largest |a − b| of one probability, and where it is. */
  readonly maxAbs: number;
  readonly query: number;
  readonly key: number;
  /** Mean over rows of the share of the `overlapKeys` most probable keys that the two have in common. */
  readonly topKOverlap: number;
  /** ‖z_B − z_A‖ / ‖z_A‖ of the head's output Σ p·v over these rows; null where v is not stored or z_A is 0. */
  readonly outputError: number | null;
  /** Rows whose visible keys are not the same in both. */
  readonly maskRows: number;
  /** Rows left out because a score is not finite in A, in B. */
  readonly notFinite: readonly [a: number, b: number];
  /** Not finite in one of them only; or more than rounding, and more than is allowed: `maxAbs` or `outputError` is over the site's floor and over `tolerance`. */
  readonly above: boolean;
}

export interface SiteDiff {
  readonly name: string;
  /** `L3` */
  readonly label: string;
  /**
   * What rounding explains. For each trace: twice what rounding q, k and v once more to their type changes on a sample of rows, at least 1e-5,
   * and where a site failed its parity check at least that error; of both traces together. `output` is relative, as `outputError` is; null where the check of a site's output failed: outputs are not judged then.
   */
  readonly floor: { readonly probability: number; readonly output: number | null };
  /** Precision of q and k: F16 where they are stored as halves, or all are halves although stored as float32. */
  readonly precision: { readonly a: 'F32' | 'F16'; readonly b: 'F32' | 'F16' };
  /** How many there are in A and in B; the first `min` of them are compared. */
  readonly queries: readonly [a: number, b: number];
  readonly keys: readonly [a: number, b: number];
  readonly heads: readonly HeadDiff[];
}

export interface HeadPlace { readonly site: string; readonly batch: number; readonly head: number; /** `L1H3`, with ` [1]` where there are several samples. */ readonly label: string }

export interface NextTokenDiff {
  readonly batch: number;
  /** Most likely in either first. Null: not among those that this trace stores. */
  readonly tokens: readonly { readonly id: number; readonly token: string; readonly a: number | null; readonly b: number | null }[];
  /** How many each trace stores. */
  readonly stored: readonly [a: number, b: number];
  /**
   * Over the tokens that both store, with all others taken together as one: lower bounds of the divergences of the whole distributions, nats.
   * Null: no token is stored in both; of KL also where the bound is infinite.
   */
  readonly klAB: number | null;
  readonly klBA: number | null;
  readonly js: number | null;
  readonly tv: number | null;
}

export interface DiffSide { readonly file: string; readonly created: string; readonly model: Pick<Manifest['model'], 'file' | 'path' | 'graphHash' | 'sha256'>; /** Per sample. */ readonly tokens: readonly number[] }

export interface TraceDiff {
  readonly formatVersion: 1;
  readonly a: DiffSide;
  readonly b: DiffSide;
  /** Of the models: the same bytes; the same graph with other weights; another graph. */
  readonly models: 'same' | 'same-graph' | 'different';
  readonly sameInput: boolean;
  /** Changes of a probability, and relative changes of an output, that count as none although rounding does not explain them; 0 when nothing was said. */
  readonly tolerance: number;
  /** Every number of every head is exactly 0 and the stored next tokens are the same. */
  readonly identical: boolean;
  /** Where it starts to go wrong, in words. */
  readonly sentence: string;
  /** What a reader should know of how it was compared: other prompts, sampled rows, sites left out. */
  readonly notes: readonly string[];
  /** Of the first site in graph order with a head that is `above`, the one that differs most. */
  readonly first: HeadPlace | null;
  /** Heads by Jensen-Shannon divergence, largest first; those without any difference are left out. */
  readonly worst: readonly HeadPlace[];
  /** In graph order of A. */
  readonly sites: readonly SiteDiff[];
  readonly skipped: readonly { readonly site: string; readonly reason: string }[];
  readonly next: readonly NextTokenDiff[];
}
