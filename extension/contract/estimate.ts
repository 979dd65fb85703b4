/**
 * What a trace will cost, before it is made: bytes from shapes, time from what this machine was measured to do. Pure arithmetic, so that
 * the engine (which refuses what cannot fit) and the host (which offers to keep less) count alike.
 */

/** What the engine knows of a run before it is made. */
export interface RunFacts {
  readonly batch: number;
  /** Positions of the prompt. */
  readonly tokens: number;
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
