/** Fixtures of LinearAttention: every update rule, decay of heads and of dims, beta, a past state, grouped heads; their recurrence in float64. */
import { floats, operatorModel, seeded, type Fed, type Fixture } from './fixture.ts';

export interface LinearFixture extends Pick<Fixture, 'model' | 'inputs'> {
  readonly name: string;
  readonly heads: number; readonly kvHeads: number; readonly queries: number; readonly dim: number; readonly valueDim: number; readonly scale: number;
  /** [batch, head, query, key]: what output i gets of v_j, by the recurrence with one-hot values. */
  readonly weights: Float64Array;
  /** [batch, query, head, valueDim] */
  readonly output: Float64Array;
  /** [batch, query, head, valueDim]: what the past state adds. */
  readonly before: Float64Array;
}

export const B = 2;
interface Form { readonly rule: 'linear' | 'gated' | 'delta' | 'gated_delta'; readonly decay?: 'head' | 'dim'; readonly beta?: true; readonly state?: true; readonly kvHeads?: number; readonly scale?: number; readonly valueDim?: number }

function fixture(operator: string, title: string, { rule, decay, beta, state, kvHeads: G = 2, scale: given, valueDim: V = 6 }: Form): LinearFixture {
  const [H, S, D] = [2, 7, 4], random = seeded(title.length * 65_537 + G), fed = (name: string, dims: readonly number[], spread: number, shift = 0): Fed => { const made = floats(name, dims, random, spread); return { ...made, data: made.data.map(x => x + shift) }; };
  const q = fed('q', [B, S, H * D], 1), k = fed('k', [B, S, G * D], 0.8), v = fed('v', [B, S, G * V], 1), past = state && fed('past_state', [B, G, D, V], 1);
  const gates = decay && fed('decay', [B, S, decay === 'dim' ? G * D : G], 0.3, -0.4), betas = beta && fed('beta', [B, S, G], 0.4, 0.5), scale = given ?? 1 / Math.sqrt(D);
  /** S_t = e^g S_{t−1} + k (β (v − kᵀ e^g S_{t−1})) for delta rules, + k v otherwise; o = scale · qᵀ S_t (Yang et al. 2024, arXiv 2412.06464). */
  const recurrence = (width: number, value: (b: number, t: number, g: number, e: number) => number, start: (b: number, g: number, d: number, e: number) => number): Float64Array => {
    const out = new Float64Array(B * S * H * width);
    for (let b = 0; b < B; b++) for (let g = 0; g < G; g++) for (let e = 0; e < width; e++) {
      const held = Array.from({ length: D }, (_, d) => start(b, g, d, e));
      for (let t = 0; t < S; t++) {
        const key = (d: number): number => k.data[(b * S + t) * G * D + g * D + d];
        for (let d = 0; d < D; d++) if (gates && rule.startsWith('gated')) held[d] *= Math.exp(gates.data[(b * S + t) * gates.dims[2] + (decay === 'dim' ? g * D + d : g)]);
        const read = held.reduce((sum, x, d) => sum + key(d) * x, 0), written = rule.includes('delta') ? (betas ? betas.data[(b * S + t) * G + g] : 1) * (value(b, t, g, e) - read) : value(b, t, g, e);
        for (let d = 0; d < D; d++) held[d] += key(d) * written;
        for (let h = 0; h < H; h++) if (Math.floor(h * G / H) === g) out[((b * S + t) * H + h) * width + e] = scale * held.reduce((sum, x, d) => sum + q.data[(b * S + t) * H * D + h * D + d] * x, 0);
      }
    }
    return out;
  };
  const own = (b: number, t: number, g: number, e: number): number => v.data[(b * S + t) * G * V + g * V + e], held = (b: number, g: number, d: number, e: number): number => (past ? past.data[((b * G + g) * D + d) * V + e] : 0);
  const hot = recurrence(S, (_b, t, _g, e) => Number(t === e), () => 0), weights = new Float64Array(B * H * S * S);
  for (let b = 0; b < B; b++) for (let i = 0; i < S; i++) for (let h = 0; h < H; h++) for (let j = 0; j < S; j++) weights[((b * H + h) * S + i) * S + j] = hot[((b * S + i) * H + h) * S + j];
  const [domain, op] = [operator.startsWith('ai.onnx') ? '' : 'com.microsoft', 'LinearAttention'];
  return {
    name: `${operator}: ${title}`, heads: H, kvHeads: G, queries: S, dim: D, valueDim: V, scale, weights, output: recurrence(V, own, held), before: recurrence(V, () => 0, held),
    ...operatorModel({ op, domain, name: '/layers.0/linear_attn/LinearAttention', inputs: [q, k, v, past, gates, betas], outputs: ['y', 'state'], attributes: { update_rule: rule, q_num_heads: H, kv_num_heads: G, ...(given === undefined ? {} : { scale: { float: given } }) }, opset: domain ? { '': 17, 'com.microsoft': 1 } : { '': 27 } }),
  };
}

export const fixtures: readonly LinearFixture[] = ['com.microsoft.LinearAttention', 'ai.onnx.LinearAttention'].flatMap(operator => [
  fixture(operator, 'linear', { rule: 'linear' }),
  fixture(operator, 'linear, grouped heads, scale', { rule: 'linear', kvHeads: 1, scale: 0.75, valueDim: 3 }),
  fixture(operator, 'gated, decay of heads', { rule: 'gated', decay: 'head' }),
  fixture(operator, 'gated, decay of dims', { rule: 'gated', decay: 'dim' }),
  fixture(operator, 'delta', { rule: 'delta', beta: true }),
  fixture(operator, 'gated delta, decay of heads', { rule: 'gated_delta', decay: 'head', beta: true }),
  fixture(operator, 'gated delta, decay of dims, past state', { rule: 'gated_delta', decay: 'dim', beta: true, state: true }),
  fixture(operator, 'linear, past state', { rule: 'linear', state: true }),
]);
