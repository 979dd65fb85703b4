/** Rows of cells into the bins of a picture: the inner loops of every tile. */

/** Where the rows of a block go. `edges`: [width + 1], first cell of each bin; of `span` cells a row. `values`, `counts`: the picture, row-major. */
export interface Bins {
  readonly edges: Int32Array; readonly span: number; readonly width: number; readonly values: Float32Array; readonly counts: Float32Array;
  /** Row of the picture that a row of the block belongs to. */
  readonly binOf: (row: number) => number;
  /** What a row is divided by; a row over 0 is left out. */
  readonly over: (row: number) => number;
}

/**
 * The largest of [row, span] finite numbers ≥ 0, −∞ where hidden. As integers their bits have the same order (−∞ is the negative one nearest to 0,
 * so that differences stay within 32 bits), and the larger of two is found without a jump: a processor guesses one cell in six wrong otherwise,
 * and loses four times what the loop takes.
 */
export function poolLargest(block: Float32Array, rows: number, { edges, span, width, values, counts, binOf, over }: Bins): void {
  const bits = new Int32Array(block.buffer, block.byteOffset, block.length), found = new Int32Array(values.buffer, values.byteOffset, values.length), one = new Int32Array(1), value = new Float32Array(one.buffer);
  for (let r = 0; r < rows; r++) {
    const by = over(r), base = r * span, at = binOf(r) * width;
    if (!(by > 0)) continue;
    for (let c = 0; c < width; c++) {
      const end = base + Math.min(edges[c + 1], span);
      let j = base + edges[c], w = -1, x = -1, y = -1, z = -1, d = 0;
      if (j >= end) break;
      for (; j < end - 3; j += 4) {
        d = (w - bits[j]) | 0; w = (w - (d & (d >> 31))) | 0;
        d = (x - bits[j + 1]) | 0; x = (x - (d & (d >> 31))) | 0;
        d = (y - bits[j + 2]) | 0; y = (y - (d & (d >> 31))) | 0;
        d = (z - bits[j + 3]) | 0; z = (z - (d & (d >> 31))) | 0;
      }
      for (; j < end; j++) { d = (w - bits[j]) | 0; w = (w - (d & (d >> 31))) | 0; }
      d = (w - x) | 0; w = (w - (d & (d >> 31))) | 0;
      d = (y - z) | 0; y = (y - (d & (d >> 31))) | 0;
      d = (w - y) | 0; w = (w - (d & (d >> 31))) | 0;
      if (w < 0) continue;
      if (by !== 1) { one[0] = w; value[0] /= by; w = one[0]; }
      counts[at + c] = 1;
      if (w > found[at + c]) found[at + c] = w;
    }
  }
}

/** The largest of scores, NaN where hidden. */
export function poolLargestScores(block: Float32Array, rows: number, { edges, span, width, values, counts, binOf }: Bins): void {
  for (let r = 0; r < rows; r++) {
    const base = r * span, at = binOf(r) * width;
    for (let c = 0; c < width && edges[c] < span; c++) {
      const end = base + Math.min(edges[c + 1], span);
      for (let j = base + edges[c]; j < end; j++) if (block[j] === block[j]) { counts[at + c]++; if (block[j] > values[at + c]) values[at + c] = block[j]; }
    }
  }
}

/** Sums and counts of what is not NaN. */
export function poolSums(block: Float32Array, rows: number, { edges, span, width, values, counts, binOf, over }: Bins): void {
  for (let r = 0; r < rows; r++) {
    const by = over(r), base = r * span, at = binOf(r) * width;
    if (!(by > 0)) continue;
    for (let c = 0; c < width && edges[c] < span; c++) {
      const end = base + Math.min(edges[c + 1], span);
      let sum = 0, seen = 0;
      for (let j = base + edges[c]; j < end; j++) { const value = block[j]; if (value === value) { seen++; sum += value; } }
      counts[at + c] += seen;
      values[at + c] += sum / by;
    }
  }
}
