/** A fixture's attention in float64, and comparing with it. */
import { referenceAttention } from '../../extension/engine/maths/reference-attention.ts';
import type { Twin } from './fixture.ts';

export interface Numbers { readonly shape: readonly number[]; readonly data: ArrayLike<number> }
export interface TwinResult {
  readonly q: Numbers & { readonly data: Float64Array }; readonly k: Numbers & { readonly data: Float64Array }; readonly v: Numbers & { readonly data: Float64Array };
  /** [batch, head, query, key] */
  readonly pattern: Numbers;
  /** [batch, query, head, dim] */
  readonly output: Numbers;
  /** [batch, head, query] */
  readonly entropy: Numbers;
  /** Of all heads. */
  readonly emptyRows: number;
  /** Whether element n of the output, or of [batch, head, query, key], is of a query that sees a key, or of a key that is seen. */
  readonly live: (n: number) => boolean; readonly seen: (n: number) => boolean;
}

export function twinOf(twin: Twin): TwinResult {
  const { batch: B, heads: H, kvHeads, queries: Q, keys: K, dim, valueDim, sees } = twin;
  const pattern = new Float64Array(B * H * Q * K), output = new Float64Array(B * Q * H * valueDim), entropy = new Float64Array(B * H * Q), live = new Uint8Array(B * H * Q);
  const sample = (data: Float64Array, b: number, positions: number, heads: number, size: number): Float64Array => Float64Array.from({ length: heads * positions * size }, (_, n) => data[((b * positions + Math.floor(n / size) % positions) * heads + Math.floor(n / size / positions)) * size + n % size]);
  for (let b = 0; b < B; b++) {
    const of = referenceAttention({
      q: sample(twin.q, b, Q, H, dim), k: sample(twin.k, b, K, kvHeads, dim), v: sample(twin.v, b, K, kvHeads, valueDim), heads: H, kvHeads, queries: Q, keys: K, dim, valueDim, scale: twin.scale, softcap: twin.softcap ?? 0,
      sees: (h, i, j) => sees(b, h, i, j), ...(twin.bias ? { bias: (h, i, j) => twin.bias!(b, h, i, j) } : {}), ...(twin.sink ? { sink: twin.sink } : {}),
    });
    pattern.set(of.probs, b * H * Q * K);
    entropy.set(of.entropy, b * H * Q);
    for (let h = 0; h < H; h++) for (let i = 0; i < Q; i++) {
      live[(b * H + h) * Q + i] = Array.from({ length: K }, (_, j) => Number(sees(b, h, i, j))).includes(1) ? 1 : 0;
      for (let d = 0; d < valueDim; d++) output[((b * Q + i) * H + h) * valueDim + d] = of.out[(h * Q + i) * valueDim + d];
    }
  }
  return {
    q: { shape: [B, Q, H, dim], data: twin.q }, k: { shape: [B, K, kvHeads, dim], data: twin.k }, v: { shape: [B, K, kvHeads, valueDim], data: twin.v },
    pattern: { shape: [B, H, Q, K], data: pattern }, output: { shape: [B, Q, H, valueDim], data: output }, entropy: { shape: [B, H, Q], data: entropy }, emptyRows: live.filter(one => !one).length,
    live: n => { const h = Math.floor(n / valueDim) % H, i = Math.floor(n / valueDim / H) % Q, b = Math.floor(n / valueDim / H / Q); return live[(b * H + h) * Q + i] === 1; },
    seen: n => sees(Math.floor(n / K / Q / H), Math.floor(n / K / Q) % H, Math.floor(n / K) % Q, n % K),
  };
}

/** Largest difference of the elements that `of` admits; Infinity where one is not a number. */
export function worst(a: Numbers, b: Numbers, of: (n: number) => boolean = () => true): number {
  if (a.data.length !== b.data.length) return Infinity;
  let most = 0;
  for (let n = 0; n < a.data.length; n++) {
    if (!of(n)) continue;
    const difference = Math.abs(a.data[n] - b.data[n]);
    most = Number.isNaN(difference) ? Infinity : Math.max(most, difference);
  }
  return most;
}
