/** Exact attention in float64, written to be read: it judges every faster way (card: exact-attention). */

export interface ReferenceInput {
  /** [heads, queries, dim], [kvHeads, keys, dim], [kvHeads, keys, valueDim], row-major. */
  readonly q: ArrayLike<number>; readonly k: ArrayLike<number>; readonly v: ArrayLike<number>;
  readonly heads: number; readonly kvHeads: number; readonly queries: number; readonly keys: number; readonly dim: number; readonly valueDim: number;
  readonly scale: number;
  /** 0: none. */
  readonly softcap: number;
  sees(head: number, query: number, key: number): boolean;
  /** Added to the capped score. */
  bias?(head: number, query: number, key: number): number;
  /** [head]: logits that take part in the denominator only. */
  readonly sink?: ArrayLike<number>;
}

export interface ReferenceOutput {
  /** [heads, queries, keys] */
  readonly probs: Float64Array;
  /** [heads, queries, valueDim] */
  readonly out: Float64Array;
  /** [heads, queries]; −∞ and 0 for rows that see no key (without a sink). Entropy in nats: −Σ p ln p over the keys, whose p sum to less than 1 where a sink takes its part. */
  readonly lse: Float64Array; readonly entropy: Float64Array; readonly max: Float64Array;
  /** [heads, queries]; −1 where no key is seen. */
  readonly maxKey: Int32Array;
  /** [heads, keys]: column sums. */
  readonly received: Float64Array;
}

/** s = softcap·tanh(scale·q·k / softcap) + bias; p = e^(s − lse); o = Σ p·v. */
export function referenceAttention(input: ReferenceInput): ReferenceOutput {
  const { q, k, v, heads, kvHeads, queries, keys, dim, valueDim, scale, softcap, sink } = input;
  const probs = new Float64Array(heads * queries * keys), out = new Float64Array(heads * queries * valueDim), received = new Float64Array(heads * keys);
  const lse = new Float64Array(heads * queries), entropy = new Float64Array(heads * queries), max = new Float64Array(heads * queries), maxKey = new Int32Array(heads * queries).fill(-1);
  const scores = new Float64Array(keys);
  for (let h = 0; h < heads; h++) for (let i = 0; i < queries; i++) {
    const kv = Math.floor(h * kvHeads / heads), row = h * queries + i;
    let most = sink ? sink[h] : -Infinity, mostKeys = -Infinity;
    for (let j = 0; j < keys; j++) {
      scores[j] = -Infinity;
      if (!input.sees(h, i, j)) continue;
      let product = 0;
      for (let d = 0; d < dim; d++) product += q[row * dim + d] * k[(kv * keys + j) * dim + d];
      const raw = product * scale;
      scores[j] = (softcap ? softcap * Math.tanh(raw / softcap) : raw) + (input.bias?.(h, i, j) ?? 0);
      most = Math.max(most, scores[j]);
      if (scores[j] > mostKeys) { mostKeys = scores[j]; maxKey[row] = j; }
    }
    if (most === -Infinity) { lse[row] = -Infinity; continue; }
    let keysSum = 0;
    for (let j = 0; j < keys; j++) keysSum += Math.exp(scores[j] - most);
    const total = keysSum + (sink ? Math.exp(sink[h] - most) : 0);
    lse[row] = most + Math.log(total);
    for (let j = 0; j < keys; j++) {
      const p = Math.exp(scores[j] - lse[row]);
      probs[row * keys + j] = p;
      received[h * keys + j] += p;
      max[row] = Math.max(max[row], p);
      if (p > 0) entropy[row] -= p * Math.log(p);
      for (let d = 0; d < valueDim; d++) out[row * valueDim + d] += p * v[(kv * keys + j) * valueDim + d];
    }
  }
  return { probs, out, lse, entropy, max, maxKey, received };
}
