/** Massive activations of a residual stream: the few dimensions that attention sinks have in common (Kang 2025, arXiv 2503.03321). Pure. */

/** 20 at the 4,096 dimensions that the authors' threshold is for; relative, since |x̂| ≤ √width. */
export function sinkThreshold(width: number): number { return 0.3125 * Math.sqrt(width); }

/** 1 / RMS of a row, without the norm's own weights. */
function inverseRms(hidden: ArrayLike<number>, at: number, width: number): number {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += hidden[at + d] ** 2;
  return 1 / Math.sqrt(sum / width + 1e-6);
}

/** φ of each position of `hidden` [positions, width]: the largest |x̂| among `dims`, x̂ being the row divided by its RMS. At most √width. */
export function sinkValues(hidden: ArrayLike<number>, width: number, dims: readonly number[]): Float32Array {
  return Float32Array.from({ length: hidden.length / width }, (_, j) => {
    const scale = inverseRms(hidden, j * width, width);
    return dims.reduce((most, d) => Math.max(most, Math.abs(hidden[j * width + d]) * scale), 0);
  });
}

/** `hidden`: [positions, width]. `kinds`: 1 for a token that is a sink by its attention, 2 for ordinary text, 0 for what does not count. */
export interface Layer { readonly hidden: ArrayLike<number>; readonly kinds: Uint8Array }

/** Larger than the median of ordinary tokens by this factor, and than this share of what a row can have at all (√width). */
const ratio = 20, share = 0.25, mostDimensions = 4;

/**
 * The dimensions that are massive in sinks and not in ordinary tokens, strongest first; none where the stream has none. `layers` is gone
 * through twice. The median, since some of the ordinary tokens may be sinks that their attention does not tell.
 */
export function sinkDimensions(layers: () => Iterable<Layer>, width: number): readonly number[] {
  const sums = new Float64Array(width);
  let count = 0;
  for (const { hidden, kinds } of layers()) kinds.forEach((kind, j) => {
    if (kind !== 1) return;
    const scale = inverseRms(hidden, j * width, width);
    for (let d = 0; d < width; d++) sums[d] += Math.abs(hidden[j * width + d]) * scale;
    count++;
  });
  // At most 16, since the squares of a row sum to its width.
  const massive = Array.from(sums.keys()).filter(d => sums[d] > count * share * Math.sqrt(width)), plain = massive.map((): number[] => []);
  for (const { hidden, kinds } of massive.length ? layers() : []) kinds.forEach((kind, j) => {
    if (kind !== 2) return;
    const scale = inverseRms(hidden, j * width, width);
    massive.forEach((d, n) => plain[n].push(Math.abs(hidden[j * width + d]) * scale));
  });
  return massive.filter((d, n) => plain[n].length > 0 && sums[d] / count > ratio * median(plain[n])).sort((a, b) => sums[b] - sums[a]).slice(0, mostDimensions);
}

function median(values: readonly number[]): number { return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]; }
