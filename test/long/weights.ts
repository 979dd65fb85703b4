/** Weights of heads that do what their names say: previous token, sink, same token, topic, induction, neighbourhood; RoPE's fast pairs carry places, its slow ones content. */
import { randomFrom } from '../../extension/engine/maths/random.ts';
import type { Vocabulary } from './text.ts';

export const size = { layers: 2, heads: 4, kvHeads: 2, dim: 64, width: 256, hidden: 256, positions: 65_536, base: 500_000 } as const;
/** Of the residual stream: the token, the token before it (which layer 0 writes), its topic, `<bos>`, and a one. */
const place = { token: 0, before: 64, topic: 128, bos: 160, one: 161 } as const;
const half = size.dim / 2, slow = 16, bosFrom = 24, groups = size.heads / size.kvHeads;
/** What the norm makes of a one that is embedded as 4. */
const one = 6;

export interface LayerWeights { readonly q: Float32Array; readonly k: Float32Array; readonly v: Float32Array; readonly o: Float32Array; readonly up: Float32Array; readonly down: Float32Array }

export function inverseFrequencies(): Float32Array { return Float32Array.from({ length: half }, (_, f) => size.base ** (-f / half)); }

function gaussian(seed: number): () => number { const random = randomFrom(seed); return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()); }

/** [token, width]. */
export function embeddings({ tokens, topic }: Vocabulary): Float32Array {
  const normal = gaussian(1), out = new Float32Array(tokens.length * size.width), topics = Array.from({ length: Math.max(...topic) + 1 }, () => Array.from({ length: 32 }, normal));
  tokens.forEach((_, id) => {
    const row = out.subarray(id * size.width, (id + 1) * size.width);
    for (let d = 0; d < 64; d++) row[place.token + d] = normal();
    if (topic[id] >= 0) row.set(topics[topic[id]], place.topic);
    row[place.one] = 4;
    if (id === 0) row[place.bos] = 8;
  });
  return out;
}

/** Matrices [in, out] of one layer. */
export function layerWeights(layer: number): LayerWeights {
  const normal = gaussian(100 + layer), { width, heads, kvHeads, dim, hidden } = size, noise = (count: number, std: number): Float32Array => Float32Array.from({ length: count }, () => std * normal());
  const q = noise(width * heads * dim, 0.01), k = noise(width * kvHeads * dim, 0.01), v = noise(width * kvHeads * dim, 0.02), o = noise(heads * dim * width, 0.02);
  const set = (of: Float32Array, columns: number, row: number, column: number, value: number): void => { of[row * columns + column] += value; };
  const inQ = (head: number, row: number, d: number, value: number): void => set(q, heads * dim, row, head * dim + d, value), inK = (kv: number, row: number, d: number, value: number): void => set(k, kvHeads * dim, row, kv * dim + d, value);
  const theta = inverseFrequencies(), mixed = Array.from({ length: 64 * 32 }, () => normal() / 8), byTopic = Array.from({ length: 32 * 32 }, () => normal() / Math.sqrt(32));
  /** Slow pairs [from, to) as the dims that they are. */
  const pairs = (from: number, to: number): number[] => [...Array.from({ length: to - from }, (_, n) => from + n), ...Array.from({ length: to - from }, (_, n) => half + from + n)];
  const near = (head: number, fastest: number, distance: number, strength: number): void => { for (let f = fastest; f < slow; f++) { inQ(head, place.one, f, strength * Math.cos(theta[f] * distance) / one); inQ(head, place.one, half + f, -strength * Math.sin(theta[f] * distance) / one); } };
  const sink = (head: number, strength: number): void => { for (let f = bosFrom; f < half; f++) inQ(head, place.one, f, strength / one); };
  const project = (into: (row: number, d: number, value: number) => void, from: number, rows: number, dims: readonly number[], matrix: readonly number[], strength: number): void => { for (let r = 0; r < rows; r++) dims.forEach((d, n) => into(from + r, d, strength * matrix[r * 32 + n])); };
  const into = (head: number) => (row: number, d: number, value: number): void => inQ(head, row, d, value), keys = (kv: number) => (row: number, d: number, value: number): void => inK(kv, row, d, value);
  for (let kv = 0; kv < kvHeads; kv++) for (let f = 0; f < slow; f++) inK(kv, place.one, f, 1 / one);
  for (let f = bosFrom; f < half; f++) inK(0, place.bos, f, 0.1);
  const content = pairs(slow, bosFrom), wide = pairs(slow, half);
  sink(1, layer ? 9 : 11);
  near(3, layer ? 4 : 7, 0, layer ? 12 : 5);
  if (layer === 0) {
    near(0, 0, 1, 30);
    project(keys(1), place.token, 64, wide, mixed, 1);
    project(into(2), place.token, 64, wide, mixed, 1.3);
    for (let d = 0; d < 64; d++) { set(v, kvHeads * dim, place.token + d, d, 0.7); set(o, width, d, place.before + d, 1); }
  } else {
    project(keys(0), place.before, 64, content, mixed, 1);
    project(into(0), place.token, 64, content, mixed, 3);
    project(keys(1), place.topic, 32, wide, byTopic, 1);
    project(into(2), place.topic, 32, wide, byTopic, 0.8);
    sink(0, 7);
  }
  return { q, k, v, o, up: noise(width * hidden, 0.03), down: noise(hidden * width, 0.02) };
}
export { groups };
