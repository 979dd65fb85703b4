/** Evaluates site plans the slow, obvious way: taps their values in onnxruntime and rebuilds the probabilities in float64. */
import type * as ort from 'onnxruntime-node';
import type { Model } from '../../extension/engine/onnx/model.ts';
import type { Layout, Operand, SitePlan } from '../../extension/engine/sites/site-plan.ts';
import type { ZooTensor } from './cases.ts';
import { runModel } from './session.ts';

export interface Array4 { readonly shape: readonly [number, number, number, number]; readonly data: Float64Array }
export interface Evaluated {
  /** [batch, position, head, dim]; of k and v before repetition. */
  readonly q: Array4; readonly k: Array4; readonly v: Array4;
  /** Rebuilt from q, k, scale, softcap, masks and rule: [batch, head, query, key]; rows that see no key are zeros. */
  readonly pattern: Array4;
  /** pattern · v, [batch, query, head, dim]. */
  readonly output: Array4;
  /** What the graph itself computed: probabilities [batch, head, query, key], output [batch, query, head, dim]. */
  readonly ownPattern: Array4 | undefined; readonly ownOutput: Array4;
}

/** Runs `model` once with every tap of `plans` and evaluates each plan that has operands. */
export async function evaluate(model: Model, plans: readonly SitePlan[], reference: ReadonlyMap<string, ZooTensor>): Promise<readonly (Evaluated | undefined)[]> {
  const taps = new Set(plans.flatMap(plan => [plan.q, plan.k, plan.v, plan.out].flatMap(o => o?.value ?? []).concat(plan.masks.map(m => m.value), [...plan.scale, ...plan.masks.flatMap(m => m.times ?? [])].flatMap(f => ('value' in f ? f.value : [])), plan.softmax ? [plan.softmax.probs] : [], plan.sink ?? [])));
  // Weights (a stored mask) are no outputs of onnxruntime, halves and booleans no floats: all are read through a Cast.
  const added = plans.flatMap(plan => (plan.added ? [plan.added] : [])), distinct = <T extends { readonly name: string }>(list: readonly T[]): T[] => [...new Map(list.map(each => [each.name, each])).values()];
  const nodes = [...taps].map((value, i) => ({ op: 'Cast', name: `tap_${i}`, inputs: [value], outputs: [`tap_${i}`], attributes: { to: 1 } }));
  const out = await runModel(model, reference, { nodes: [...distinct(added.flatMap(each => each.nodes)), ...nodes], initializers: distinct(added.flatMap(each => each.initializers)), outputs: nodes.map(node => ({ name: node.outputs[0], type: 1 })) });
  const value = (name: string): ort.Tensor => out[`tap_${[...taps].indexOf(name)}`];
  return plans.map(plan => (plan.q && plan.k && plan.v && plan.out ? evaluateOne(plan as Required<SitePlan>, value) : undefined));
}

function evaluateOne(plan: SitePlan, value: (name: string) => ort.Tensor): Evaluated {
  const q = normalise(value(plan.q!.value), plan.q!), k = normalise(value(plan.k!.value), plan.k!), v = normalise(value(plan.v!.value), plan.v!);
  const [B, Q, H, D] = q.shape, [, K, KV] = k.shape, dv = v.shape[3];
  const product = (factors: SitePlan['scale']): number => factors.reduce((all, f) => all * ('constant' in f ? f.constant : Number(value(f.value).data[0])) ** f.power, 1), scale = product(plan.scale);
  const masks = plan.masks.map(term => ({ as: term.as, times: product(term.times ?? []), at: broadcaster(value(term.value), term.merged ? B : undefined) }));
  const sinks = plan.sink === undefined ? undefined : value(plan.sink).data as Float32Array;
  const offset = plan.rule.offset === 'past' ? K - Q : 0;
  const pattern = new Float64Array(B * H * Q * K), output = new Float64Array(B * Q * H * dv);
  for (let b = 0; b < B; b++) for (let h = 0; h < H; h++) for (let i = 0; i < Q; i++) {
    const kv = Math.floor((h * KV) / H), row = new Float64Array(K).fill(-Infinity);
    for (let j = 0; j < K; j++) {
      if (plan.rule.causal && j > i + offset) continue;
      if (plan.rule.window && (plan.rule.window[0] >= 0 && j < i + offset - plan.rule.window[0] || plan.rule.window[1] >= 0 && j > i + offset + plan.rule.window[1])) continue;
      let score = 0;
      for (let d = 0; d < D; d++) score += q.data[((b * Q + i) * H + h) * D + d] * k.data[((b * K + j) * KV + kv) * D + d];
      score *= scale;
      if (plan.softcap) score = plan.softcap * Math.tanh(score / plan.softcap);
      for (const mask of masks) {
        const m = mask.at(b, h, i, j) * mask.times;
        if (mask.as === 'add') score += m <= -1e4 ? -Infinity : m;
        else if ((mask.as === 'keep') !== (m !== 0)) score = -Infinity;
      }
      row[j] = score;
    }
    const max = Math.max(...row, sinks ? sinks[h] : -Infinity), sum = max === -Infinity ? 1 : row.reduce((total, s) => total + Math.exp(s - max), sinks ? Math.exp(sinks[h] - max) : 0);
    for (let j = 0; j < K; j++) {
      const p = max === -Infinity ? 0 : Math.exp(row[j] - max) / sum;
      pattern[((b * H + h) * Q + i) * K + j] = p;
      for (let d = 0; d < dv; d++) output[((b * Q + i) * H + h) * dv + d] += p * v.data[((b * K + j) * KV + kv) * dv + d];
    }
  }
  return { q, k, v, pattern: { shape: [B, H, Q, K], data: pattern }, output: { shape: [B, Q, H, dv], data: output }, ownPattern: plan.softmax && { shape: [B, H, Q, K], data: floats(value(plan.softmax.probs)) }, ownOutput: normalise(value(plan.out!.value), plan.out!) };
}

function floats(tensor: ort.Tensor): Float64Array { return Float64Array.from(tensor.data as Float32Array, Number); }

/** Any layout as [batch, position, head, dim]. */
export function normalise(tensor: ort.Tensor, operand: Operand): Array4 {
  const { data, dims } = cut(floats(tensor), tensor.dims, operand.slice), axes = operand.layout.replace(/\(.*?\)/g, group => group.replace(' ', '_')).split(' ');
  if (axes.length !== dims.length) throw new Error(`${operand.value} has shape ${dims.join('×')}, not ${operand.layout satisfies Layout}`);
  const size: Record<string, number> = { b: 1, h: 1, s: 1, d: 1 }, order: string[] = [];
  axes.forEach((axis, i) => {
    if (!axis.includes('_')) { size[axis] = dims[i]; order.push(axis); return; }
    const [outer, inner] = axis.replace(/[()]/g, '').split('_');
    if (operand.heads === null) throw new Error(`${operand.value} merges heads of unknown number`);
    size['h'] = operand.heads;
    if (outer === 'b') size['b'] = dims[i] / operand.heads; else size[inner] = dims[i] / operand.heads;
    order.push(outer, inner);
  });
  const stride: Record<string, number> = { b: 0, h: 0, s: 0, d: 0 };
  order.reduceRight((step, axis) => { stride[axis] = step; return step * size[axis]; }, 1);
  const { b: B, s: S, h: H, d: D } = size, result = new Float64Array(B * S * H * D);
  for (let b = 0, at = 0; b < B; b++) for (let s = 0; s < S; s++) for (let h = 0; h < H; h++) for (let d = 0; d < D; d++) result[at++] = data[b * stride['b'] + s * stride['s'] + h * stride['h'] + d * stride['d']];
  return { shape: [B, S, H, D], data: result };
}

/** The part of the last axis that is the operand. */
function cut(data: Float64Array, dims: readonly number[], slice: Operand['slice']): { readonly data: Float64Array; readonly dims: readonly number[] } {
  if (!slice) return { data, dims };
  const [start, end] = slice, width = dims[dims.length - 1];
  return { data: data.filter((_, n) => n % width >= start && n % width < end), dims: [...dims.slice(0, -1), end - start] };
}

/** Reads a mask at [batch, head, query, key] with NumPy's rules; `batch` splits a merged first axis; of five axes the first two are the batch. */
function broadcaster(tensor: ort.Tensor, batch: number | undefined): (b: number, h: number, q: number, k: number) => number {
  const dims = batch === undefined || tensor.dims.length !== 3 || tensor.dims[0] === 1 ? [...tensor.dims] : [batch, tensor.dims[0] / batch, ...tensor.dims.slice(1)];
  if (dims.length === 5) dims.splice(0, 2, dims[0] * dims[1]);
  while (dims.length < 4) dims.unshift(1);
  const data = tensor.data as Float32Array;
  return (...at) => Number(data[at.reduce((index, position, axis) => index * dims[axis] + (dims[axis] === 1 ? 0 : position % dims[axis]), 0)]);
}
