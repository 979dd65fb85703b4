/**
 * What a trace will cost, before it is made: bytes from shapes, time from what this machine was measured to do. Pure arithmetic, so that
 * the engine (which refuses what cannot fit) and the host (which offers to keep less) count alike.
 */

/** What the engine knows of a run before it is made. */
export interface RunFacts {
  readonly batch: number;
  /** Positions of the prompt. */
  readonly tokens: number;
  /** The prompt is run in pieces of so many rows; undefined: at once. */
  readonly rowsAtOnce?: number;
  /** One a site, in graph order. */
  readonly sites: readonly SiteFacts[];
  /** The model file and its external data. */
  readonly weightBytes: number;
  /** Weights of matrix products: each is one multiply-add a token. */
  readonly weights: number;
  /** float32 logits of all positions, which the graph computes although one row is kept. */
  readonly logitsBytes: number;
  /** Header of the file, with room to spare. */
  readonly headerBytes: number;
  readonly freeBytes: number;
  /** Free on the disk of the trace; undefined where the system does not say. */
  readonly diskBytes?: number;
  /** Undefined where nothing was timed. */
  readonly speed?: Speed;
}

/** Numbers that the graph leaves open are filled with the usual ones. */
export interface SiteFacts {
  readonly layer: number;
  /** Numbers in q, k and v of the whole batch. */
  readonly elements: number;
  /** Numbers in the residual stream before its block, for the first site of a block; 0 for others and where it is not known. */
  readonly resid?: number;
  /** Statistics of all rows and keys, and the pooled picture. */
  readonly statisticsBytes: number;
  /** Cells of the pattern: batch × heads × queries × keys. */
  readonly cells: number;
  /** Multiply-adds of q·kᵀ and p·v. */
  readonly products: number;
}

/** Of the processor, as onnxruntime uses it. */
export interface Speed {
  /** Multiply-adds of a matrix product. */
  readonly productsPerMs: number;
  /** Cells of a scale, a mask and a softmax, one after the other. */
  readonly cellsPerMs: number;
}

export interface Choice {
  /** Layers whose sites are kept; all when undefined. */
  readonly layers?: readonly number[];
  readonly stored: 'F32' | 'F16';
  /** The whole pattern as well, or the sites' own outputs. */
  readonly pattern?: boolean;
  readonly z?: boolean;
  /** The residual stream before every block. */
  readonly resid?: boolean;
}

export interface Estimate {
  /** Peak of the process that runs the model. */
  readonly memoryBytes: number;
  readonly fileBytes: number;
  /** From the start of the run to the published file; undefined where nothing was timed. */
  readonly timeMs?: number;
}

/** float32 up to this many bytes of q, k and v, then float16. */
export const mostFloat32 = 2 ** 30;

/** What `auto` means for these sites. */
export function autoStored(facts: Pick<RunFacts, 'sites'>, layers?: readonly number[]): 'F32' | 'F16' {
  return elementsOf(facts, layers) * 4 <= mostFloat32 ? 'F32' : 'F16';
}

function chosenSites({ sites }: Pick<RunFacts, 'sites'>, layers: readonly number[] | undefined): readonly SiteFacts[] {
  return layers ? sites.filter(site => layers.includes(site.layer)) : sites;
}

/** Numbers in q, k and v of the chosen sites. */
export function elementsOf(facts: Pick<RunFacts, 'sites'>, layers?: readonly number[]): number {
  return chosenSites(facts, layers).reduce((sum, site) => sum + site.elements, 0);
}

/**
 * Peak memory, file and time of a trace with this choice. Calibrated against measured runs of generated decoders (`npm run bench -- --only
 * estimates` prints both; test/unit/run holds file and memory to them); models differ, so that a factor of two either way is what it promises.
 */
export function estimate(facts: RunFacts, choice: Choice): Estimate {
  const kept = chosenSites(facts, choice.layers), width = choice.stored === 'F16' ? 2 : 4;
  const share = facts.rowsAtOnce === undefined ? 1 : Math.min(1, facts.rowsAtOnce / facts.tokens), largestCells = Math.max(0, ...facts.sites.map(site => site.cells)), values = elementsOf(facts, choice.layers) * width;
  const pattern = choice.pattern ? kept.reduce((sum, site) => sum + site.cells * 4, 0) : 0, statistics = kept.reduce((sum, site) => sum + site.statisticsBytes, 0);
  const z = choice.z ? kept.reduce((sum, site) => sum + site.elements * width, 0) / 3 : 0, resid = choice.resid ? kept.reduce((sum, site) => sum + (site.resid ?? 0) * width, 0) : 0, captured = values + z + resid + statistics;
  const fileBytes = facts.headerBytes + captured + pattern;
  const memoryBytes = baseBytes + facts.weightBytes * weightCopies + captured + (largestCells * 4 * liveMatrices + facts.logitsBytes) * share;
  return { memoryBytes, fileBytes, ...(facts.speed ? { timeMs: timeOf(facts, facts.speed, kept, fileBytes) } : {}) };
}

/** A process with onnxruntime and an opened model. */
const baseBytes = 100e6;
/** Weights are in memory once: what is packed for products is not kept beside. */
const weightCopies = 1;
/** Scores, masked scores and probabilities of one layer are alive together. */
export const liveMatrices = 3;
/** Walks over all cells of a layer that the model makes, in units of the timed one, and those that the taps add. */
const ownWalks = 1, addedWalks = 1.5;
/** Opening, the session and completion of the smallest model. */
const baseMs = 300;
/** Of reading the weights once for the session and once for the hash, and of writing the file. */
const bytesPerMs = 0.5e6;

function timeOf(facts: RunFacts, speed: Speed, kept: readonly SiteFacts[], fileBytes: number): number {
  const products = facts.weights * facts.batch * facts.tokens + facts.sites.reduce((sum, site) => sum + site.products, 0);
  const cells = facts.sites.reduce((sum, site) => sum + site.cells, 0) * ownWalks + kept.reduce((sum, site) => sum + site.cells, 0) * addedWalks;
  return baseMs + products / speed.productsPerMs + cells / speed.cellsPerMs + (facts.weightBytes + fileBytes) / bytesPerMs;
}
