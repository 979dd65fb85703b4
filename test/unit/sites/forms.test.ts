/** Forms of softmax attention that exporters and people write: each is built here, run in onnxruntime, and rebuilt from what was recognised. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewTensor } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { recognise, type Recognised } from '../../../extension/engine/sites/recognise.ts';
import { evaluate, type Evaluated } from '../../zoo/evaluate.ts';
import { ints, mixed, noise, plain, scalar, scores, writeForm, x, type Built, type Line } from './form-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'site-forms-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function built(form: Built): Promise<Recognised & { readonly evaluated: readonly (Evaluated | undefined)[] }> {
  const path = join(folder, 'model.onnx');
  writeForm(path, form);
  const model = await openModel(path), found = recognise(model);
  return { ...found, evaluated: await evaluate(model, found.plans, new Map([['in.x', x], ...Object.entries(form.feeds ?? {}).map(([name, tensor]) => [`in.${name}`, tensor] as const)])) };
}

/** What the plan says gives the graph's own probabilities and output. */
async function agrees(form: Built, tolerance = 2e-6): Promise<Awaited<ReturnType<typeof built>>> {
  const found = await built(form), [one] = found.evaluated;
  expect(found.plans.map(plan => [plan.site.capture, plan.site.heads, plan.site.why]), found.looked).toEqual([['graph', 2, undefined]]);
  expect(furthest(one!.pattern.data, one!.ownPattern!.data)).toBeLessThan(tolerance);
  expect(furthest(one!.output.data, one!.ownOutput.data)).toBeLessThan(4 * tolerance);
  return found;
}
function furthest(a: Float64Array, b: Float64Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

describe('softmaxes that are written out', () => {
  const shifted: Line[] = [['ReduceMax', 's', 'most', { axes: [-1], keepdims: 1 }], ['Sub', 's most', 'low'], ['Exp', 'low', 'e']];
  const sum: Line = ['ReduceSum', 'e last', 'sum', { keepdims: 1 }];
  it.each<[string, Line[]]>([
    ['exp(x − max) / Σ', [...shifted, sum, ['Div', 'e sum', 'p']]],
    ['exp(x) / Σ', [['Exp', 's', 'e'], sum, ['Div', 'e sum', 'p']]],
    ['exp(x) · 1 / Σ', [['Exp', 's', 'e'], sum, ['Reciprocal', 'sum', 'inverse'], ['Mul', 'inverse e', 'p']]],
    ['exp / (Σ + ε)', [...shifted, sum, ['Add', 'sum tiny', 'sum1'], ['Div', 'e sum1', 'p']]],
    ['exp(log softmax)', [['LogSoftmax', 's', 'l', { axis: 3 }], ['Exp', 'l', 'p']]],
    ['softmax(x − max)', [...shifted.slice(0, 2), ['Softmax', 'low', 'p', { axis: 3 }]]],
  ])('%s', async (_, lines) => { expect((await agrees({ lines: [...scores, ...lines, mixed], tensors: [scalar('tiny', 1e-9)] })).plans[0].site).toMatchObject({ scale: 0.5, sinkLogit: false }); });
  it('operator sets 11 and 12, where Softmax flattens', async () => {
    for (const opset of [11, 12]) await agrees({ lines: [...scores, ['Softmax', 's', 'p', { axis: 3 }], mixed], opset });
  });
  it('exponentials over other axes, or of what is no product, are none', async () => {
    const over = await built({ lines: [...scores, ['Exp', 's', 'e'], ['ReduceSum', 'e zero1', 'sum', { keepdims: 1 }], ['Div', 'e sum', 'p'], mixed] });
    expect(over.plans).toEqual([]);
    expect((await built({ lines: [['Exp', 'q', 'e'], ['ReduceSum', 'e last', 'sum', { keepdims: 1 }], ['Div', 'e sum', 'p']] })).plans).toEqual([]);
  });
});

describe('a column in the denominator that is no key', () => {
  const sinks = tensorOf('sinks', [2], [0.7, -1.2]), shape = [ints('per', 1, 2, 1, 1), ints('rows', 2, 2, 6, 1), ints('six', 6), ints('one1', 1), ints('end', 1000), ints('seven', 7), ints('parts', 6, 1), ints('pads', 0, 0, 0, 0, 0, 0, 0, 1), scalar('one', 1)];
  const column: Line[] = [['Reshape', 'sinks per', 'z0'], ['Expand', 'z0 rows', 'z']];
  const cut: Line = ['Slice', 'all zero1 six last', 'p'];
  it.each<[string, Line[]]>([
    ['joined behind the scores', [...column, ['Concat', 's z', 'wide', { axis: -1 }], ['Softmax', 'wide', 'all', { axis: -1 }], cut]],
    ['less their maximum, as gpt-oss has it', [...column, ['Concat', 's z', 'wide', { axis: 3 }], ['ReduceMax', 'wide', 'most', { axes: [-1], keepdims: 1 }], ['Sub', 'wide most', 'low'], ['Softmax', 'low', 'all', { axis: -1 }], ['Slice', 'all zero1 last last', 'p']]],
    ['before the scores', [...column, ['Concat', 'z s', 'wide', { axis: 3 }], ['Softmax', 'wide', 'all', { axis: -1 }], ['Slice', 'all one1 end last', 'p']]],
    ['a zero padded on', [['Pad', 's pads', 'wide'], ['Softmax', 'wide', 'all', { axis: -1 }], cut]],
    ['exp / (1 + Σ)', [['Exp', 's', 'e'], ['ReduceSum', 'e last', 'sum', { keepdims: 1 }], ['Add', 'one sum', 'sum1'], ['Div', 'e sum1', 'p']]],
    ['exp(x − max) / (exp(−max) + Σ)', [['ReduceMax', 's', 'most', { axes: [-1], keepdims: 1 }], ['Sub', 's most', 'low'], ['Exp', 'low', 'e'], ['ReduceSum', 'e last', 'sum', { keepdims: 1 }], ['Neg', 'most', 'minus'], ['Exp', 'minus', 'rest'], ['Add', 'sum rest', 'sum1'], ['Div', 'e sum1', 'p']]],
    ['a learned logit in the sum', [['Reshape', 'sinks per', 'z'], ['ReduceMax', 's', 'most', { axes: [-1], keepdims: 1 }], ['Sub', 's most', 'low'], ['Exp', 'low', 'e'], ['ReduceSum', 'e last', 'sum', { keepdims: 1 }], ['Sub', 'z most', 'zl'], ['Exp', 'zl', 'rest'], ['Add', 'sum rest', 'sum1'], ['Div', 'e sum1', 'p']]],
  ])('%s', async (_, lines) => {
    const { plans: [plan], evaluated: [one] } = await agrees({ lines: [...scores, ...lines, mixed], tensors: [sinks, ...shape] });
    expect(plan.site).toMatchObject({ sinkLogit: true, scale: 0.5 });
    // The rows sum to less than 1: the column took its part.
    expect(one!.ownPattern!.data.slice(0, 6).reduce((a, b) => a + b)).toBeLessThan(0.95);
  });
});

describe('masks, biases and guards', () => {
  const keep = Array.from({ length: 36 }, (_, i) => Number(i % 6 <= Math.floor(i / 6) && i % 6 !== 1)), bool = (name: string, values: readonly number[]): NewTensor => tensorOf(name, [1, 1, 6, 6], values, dataType.bool);
  const tensors = [bool('keep', keep), bool('drop', keep.map(v => 1 - v)), tensorOf('add', [1, 1, 6, 6], keep.map(v => (v ? 0 : -1e9))), tensorOf('less', [1, 1, 6, 6], keep.map(v => 1 - v)), tensorOf('bias', [1, 2, 6, 6], noise(72, 9)), scalar('low', -1e9), scalar('lowest', -3.4e38), scalar('zero', 0), scalar('one', 1), scalar('much', 65500), scalar('minus', -1e4), tensorOf('keepF', [1, 1, 6, 6], keep)];
  it.each<[string, Line[]]>([
    ['a mask before the scale', [['MatMul', 'q kT', 's0'], ['Add', 's0 add', 's1'], ['Mul', 's1 half', 's'], ...plain]],
    ['a bias before the scale', [['MatMul', 'q kT', 's0'], ['Add', 's0 bias', 's1'], ['Mul', 's1 half', 's'], ...plain]],
    ['a bias that is subtracted', [...scores, ['Sub', 's bias', 's1'], ['Softmax', 's1', 'p'], mixed]],
    ['a large number that is subtracted', [...scores, ['Mul', 'less much', 'm'], ['Sub', 's m', 's1'], ['Softmax', 's1', 'p'], mixed]],
    ['cleared and then hidden, as GPT has it', [...scores, ['Mul', 's keepF', 's1'], ['Sub', 'one keepF', 'gone'], ['Mul', 'gone minus', 'm'], ['Add', 's1 m', 's2'], ['Softmax', 's2', 'p'], mixed]],
    ['chosen, with a floor', [...scores, ['Where', 'keep s low', 's1'], ['Clip', 's1 lowest', 's2'], ['Softmax', 's2', 'p'], mixed]],
    ['zeros where a row is not a number', [...scores, ['Where', 'drop low s', 's1'], ['Softmax', 's1', 'p0'], ['IsNaN', 'p0', 'n'], ['Where', 'n zero p0', 'p'], mixed]],
    ['zeros where a key is hidden', [...scores, ['Where', 'keep s low', 's1'], ['Softmax', 's1', 'p0'], ['Where', 'drop zero p0', 'p'], mixed]],
    ['kept where a key is seen', [...scores, ['Where', 'keep s low', 's1'], ['Softmax', 's1', 'p0'], ['Where', 'keep p0 zero', 'p'], mixed]],
    ['times the mask', [...scores, ['Where', 'keep s low', 's1'], ['Softmax', 's1', 'p0'], ['Mul', 'p0 keepF', 'p'], mixed]],
    ['half precision around a float softmax', [['Cast', 'q', 'qh', { to: 10 }], ['Cast', 'kT', 'kh', { to: 10 }], ['MatMul', 'qh kh', 's0'], ['Cast', 's0', 's1', { to: 1 }], ['Mul', 's1 half', 's'], ['Softmax', 's', 'p0'], ['Cast', 'p0', 'p1', { to: 10 }], ['Cast', 'p1', 'p', { to: 1 }], mixed]],
    ['dropout of a graph made for training', [...scores, ['Softmax', 's', 'p0'], ['Dropout', 'p0', 'p'], mixed]],
  ])('%s', async (name, lines) => {
    const { plans: [{ site }] } = await agrees({ lines, tensors }, name.startsWith('half') ? 2e-3 : 2e-6);
    expect(site.mask.additive).toBe(name.includes('bias'));
  });
});

it('a table of biases by distance is no triangle, though no two of its numbers are equal', async () => {
  const by = Array.from({ length: 36 }, (_, i) => Math.abs(Math.floor(i / 6) - i % 6));
  const { plans: [{ site }] } = await agrees({ lines: [...scores, ['Gather', 'table by', 'b0', { axis: 1 }], ['Unsqueeze', 'b0 zero1', 'b'], ['Add', 's b', 's1'], ['Softmax', 's1', 'p'], mixed], tensors: [tensorOf('table', [2, 16], noise(32, 4)), tensorOf('by', [6, 6], by, dataType.int64)] });
  expect(site.mask).toEqual({ causal: false, window: null, padding: false, additive: true });
});

describe('single heads', () => {
  it('a head of its own each: a site each, all of one head', async () => {
    const head = (i: number): Line[] => [['MatMul', `q.${i} kT.${i}`, `s.${i}`], ['Softmax', `s.${i}`, `p.${i}`, { axis: -1 }], ['MatMul', `p.${i} v.${i}`, `o.${i}`]];
    const { plans, evaluated } = await built({
      lines: [...['q', 'kT', 'v'].flatMap((name): Line[] => [['Split', name, `${name}.a ${name}.b`, { axis: 1 }], ['Squeeze', `${name}.a one1`, `${name}.0`], ['Squeeze', `${name}.b one1`, `${name}.1`]]), ...head(0), ...head(1), ['Concat', 'o.0 o.1', 'o', { axis: -1 }]],
      tensors: [ints('one1', 1)],
    });
    expect(plans.map(plan => [plan.site.name, plan.site.heads, plan.softmax?.layout])).toEqual([['blocks.0.attn', 1, 'b q k'], ['blocks.1.attn', 1, 'b q k']]);
    for (const one of evaluated) expect(furthest(one!.pattern.data, one!.ownPattern!.data)).toBeLessThan(2e-6);
  });
});

describe('what is no attention', () => {
  const wide = [tensorOf('We', [8, 4], noise(32, 5)), tensorOf('seed', [1, 2, 1, 4], noise(8, 6)), ints('two1', 2)];
  it.each<[string, Line[]]>([
    ['a router over experts', [['MatMul', 'x We', 'g'], ['Softmax', 'g', 'p', { axis: -1 }], ['TopK', 'p two1', 'best which'], ['ReduceSum', 'best last', 'o']]],
    ['a gate', [['Softmax', 'q', 'g', { axis: -1 }], ['Mul', 'g k', 'o']]],
    ['a classifier over positions', [['MatMul', 'x We', 'g'], ['LogSoftmax', 'g', 'o', { axis: -1 }]]],
    ['pooling by one learned query', [['MatMul', 'seed kT', 's'], ...plain]],
  ])('%s', async (_, lines) => {
    const { plans, refused, looked } = await built({ lines, tensors: wide });
    expect([plans.map(plan => plan.site.name), refused]).toEqual([[], []]);
    expect(looked).toMatch(/^There is no attention that can be read in model\.onnx/);
  });
});

describe('quantised', () => {
  const u8 = dataType.uint8, tensors = [scalar('qs', 0.05), tensorOf('qz', [], [120], u8), scalar('vs', 0.03), tensorOf('vz', [], [128], u8), scalar('ss', 0.11), tensorOf('sz', [], [130], u8), scalar('ps', 1 / 255), tensorOf('pz', [], [0], u8), scalar('os', 0.02), scalar('one', 1)];
  const qdq = (from: string, to: string, scale: string, zero: string): Line[] => [['QuantizeLinear', `${from} ${scale} ${zero}`, `${to}.i`], ['DequantizeLinear', `${to}.i ${scale} ${zero}`, to]];
  const dynamic = (name: string): Line => ['DynamicQuantizeLinear', name, `${name}i ${name}.scale ${name}.zero`];
  const integer = (a: string, b: string, to: string): Line[] => [dynamic(a), dynamic(b), ['MatMulInteger', `${a}i ${b}i ${a}.zero ${b}.zero`, `${to}.n`], ['Cast', `${to}.n`, `${to}.f`, { to: 1 }], ['Mul', `${a}.scale ${b}.scale`, `${to}.s`], ['Mul', `${to}.f ${to}.s`, to]];
  it.each<[string, Line[], { readonly rounds: number; readonly q: RegExp }]>([
    ['MatMulInteger for both products', [...integer('q', 'kT', 's0'), ['Mul', 's0 half', 's'], ['Softmax', 's', 'p', { axis: -1 }], ...integer('p', 'v', 'o')], { rounds: 0, q: /^attnscope\.float\.qi$/ }],
    ['QuantizeLinear and back around the operands', [...qdq('q', 'q8', 'qs', 'qz'), ...qdq('kT', 'k8', 'qs', 'qz'), ...qdq('v', 'v8', 'vs', 'vz'), ['MatMul', 'q8 k8', 's0'], ['Mul', 's0 half', 's'], ['Softmax', 's', 'p', { axis: -1 }], ['MatMul', 'p v8', 'o']], { rounds: 0, q: /^q8$/ }],
    ['around everything, scores and probabilities as well', [...qdq('q', 'q8', 'qs', 'qz'), ...qdq('kT', 'k8', 'qs', 'qz'), ...qdq('v', 'v8', 'vs', 'vz'), ['MatMul', 'q8 k8', 's0'], ...qdq('s0', 's1', 'ss', 'sz'), ['Mul', 's1 half', 's'], ['Softmax', 's', 'p0', { axis: -1 }], ...qdq('p0', 'p', 'ps', 'pz'), ['MatMul', 'p v8', 'o']], { rounds: 0.0275, q: /^q8$/ }],
    ['QLinearMatMul and QLinearSoftmax', [['QuantizeLinear', 'q qs qz', 'q8'], ['QuantizeLinear', 'kT qs qz', 'k8'], ['QuantizeLinear', 'v vs vz', 'v8'], ['QLinearMatMul', 'q8 qs qz k8 qs qz ss sz', 's8'], ['QLinearSoftmax', 's8 ss sz ps pz', 'p8', { axis: -1, opset: 13 }, 'com.microsoft'], ['QLinearMatMul', 'p8 ps pz v8 vs vz os vz', 'o8'], ['DequantizeLinear', 'o8 os vz', 'o']], { rounds: 0.055, q: /^attnscope\.float\.q8$/ }],
  ])('%s', async (_, lines, { rounds, q }) => {
    const { plans: [plan], evaluated: [one], looked } = await built({ lines, tensors });
    expect([plan?.site.capture, plan?.site.why], looked).toEqual(['graph', undefined]);
    expect(plan.q?.value).toMatch(q);
    expect(plan.rounding?.score ?? 0).toBeCloseTo(rounds, 6);
    const { score = 0, pattern = 0, mixed = 0, out = 0 } = plan.rounding ?? {}, largest = one!.v.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(furthest(one!.pattern.data, one!.ownPattern!.data)).toBeLessThan(2e-6 + Math.tanh(score / 2) + pattern);
    expect(furthest(one!.output.data, one!.ownOutput.data)).toBeLessThan(1e-5 + (2 * Math.tanh(score / 2) + 6 * mixed) * largest + out);
    // Rounded for sure: what the float graph would have is further away than float32 explains.
    if (rounds) expect(furthest(one!.pattern.data, one!.ownPattern!.data)).toBeGreaterThan(1e-4);
  });
});

describe('what surrounds the products', () => {
  it('a temperature for each head, as cosine attention has it, belongs to q', async () => {
    const { plans: [plan] } = await agrees({ lines: [['MatMul', 'q kT', 's0'], ['Mul', 's0 heat', 's'], ...plain], tensors: [tensorOf('heat', [2, 1, 1], [0.4, 1.7])] });
    expect(plan.site).toMatchObject({ scale: 1, taps: { q: 'q' } });
  });
  it('masks of windows: scores are taken apart into images and windows, and put together again', async () => {
    const hidden = Array.from({ length: 72 }, (_, i) => ((i * 7) % 5 < 2 ? -100 : 0));
    const { plans: [plan] } = await agrees({ lines: [...scores, ['Reshape', 's apart', 's1'], ['Add', 's1 rolled', 's2'], ['Reshape', 's2 whole', 's3'], ['Softmax', 's3', 'p'], mixed], tensors: [ints('apart', 1, 2, 2, 6, 6), ints('whole', 2, 2, 6, 6), tensorOf('rolled', [1, 2, 1, 6, 6], hidden)] });
    expect(plan.masks).toEqual([{ value: 'rolled', as: 'add', windows: true }]);
  });
});

describe('additive attention', () => {
  const tensors = [tensorOf('Wa', [8, 5], noise(40, 7, 0.6)), tensorOf('Wb', [8, 5], noise(40, 8, 0.6)), tensorOf('va', [5, 1], noise(5, 9)), tensorOf('ba', [5], noise(5, 3)), ints('one1', 1), ints('two1', 2), ints('three1', 3), ints('row', 1), ints('end', 6)];
  const query: Line[] = [['Slice', 'x zero1 one1 one1', 'first'], ['MatMul', 'first Wb', 'hq']], keys: Line[] = [['MatMul', 'x Wa', 'hk0'], ['Add', 'hk0 ba', 'hk']];
  const only = (found: Recognised): unknown => found.plans.map(({ site, softmax }) => [site.capture, site.heads, softmax?.layout, site.why]);
  const why = 'Its scores are additive: a small network of the sum of query and key, no product of both.';
  it('one query, keys on the first axis: found, and marked as such', async () => {
    const found = await built({ lines: [...keys, ...query, ['Add', 'hk hq', 'h'], ['Tanh', 'h', 't'], ['MatMul', 't va', 's9'], ['Softmax', 's9', 'p', { axis: 1 }], ['Mul', 'p x', 'w'], ['ReduceSum', 'w one1', 'o', { keepdims: 0 }]], tensors });
    expect(only(found)).toEqual([['softmax-only', 1, 'b k q', why]]);
    expect(found.refused).toEqual([]);
  });
  it('every position looks at every other', async () => {
    const found = await built({ lines: [...keys, ['Unsqueeze', 'hk one1', 'hk1'], ['MatMul', 'x Wb', 'hq'], ['Unsqueeze', 'hq two1', 'hq1'], ['Add', 'hk1 hq1', 'h'], ['Tanh', 'h', 't'], ['MatMul', 't va', 's8'], ['Squeeze', 's8 three1', 's9'], ['Softmax', 's9', 'p', { axis: 2 }], ['MatMul', 'p x', 'o']], tensors });
    expect(only(found)).toEqual([['softmax-only', 1, 'b q k', why]]);
  });
  it('without a query it is pooling', async () => {
    const found = await built({ lines: [...keys, ['Tanh', 'hk', 't'], ['MatMul', 't va', 's9'], ['Softmax', 's9', 'p', { axis: 1 }], ['Mul', 'p x', 'w'], ['ReduceSum', 'w one1', 'o', { keepdims: 0 }]], tensors });
    expect([found.plans, found.refused]).toEqual([[], []]);
  });
});

describe('projections with weights of a few bits', () => {
  /** q, k and v anew, from projections of another kind. */
  const from = (project: (name: string) => Line[]): Line[] => ['q', 'k', 'v'].flatMap((name): Line[] => [...project(name), ['Reshape', `${name}.p split`, `${name}.r`], ['Transpose', `${name}.r`, `${name}.t`, { perm: name === 'k' ? [0, 2, 3, 1] : [0, 2, 1, 3] }]]);
  const attend: Line[] = [['MatMul', 'q.t k.t', 's0'], ['Mul', 's0 half', 's'], ['Softmax', 's', 'p', { axis: -1 }], ['MatMul', 'p v.t', 'o']];
  const bytes = (count: number, seed: number): number[] => noise(count, seed, 60).map(value => Math.round(value) & 255);
  it('MatMulNBits', async () => {
    const { plans: [{ site }] } = await agrees({
      lines: [...from(name => [['MatMulNBits', `x ${name}.w ${name}.c`, `${name}.p`, { K: 8, N: 8, bits: 4, block_size: 16 }, 'com.microsoft']]), ...attend],
      tensors: ['q', 'k', 'v'].flatMap((name, i) => [tensorOf(`${name}.w`, [8, 1, 8], bytes(64, i + 3), dataType.uint8), tensorOf(`${name}.c`, [8], noise(8, i + 5, 0.05))]),
    });
    expect(site).toMatchObject({ kind: 'self', headDim: 4, valueDim: 4, kvHeads: 2 });
  });
  it('DequantizeLinear in blocks', async () => {
    const { plans: [{ site }] } = await agrees({
      lines: [...from(name => [['DequantizeLinear', `${name}.w ${name}.c`, `${name}.f`, { axis: 0, block_size: 4 }], ['MatMul', `x ${name}.f`, `${name}.p`]]), ...attend], opset: 21,
      tensors: ['q', 'k', 'v'].flatMap((name, i) => [tensorOf(`${name}.w`, [8, 8], bytes(64, i + 3), dataType.int8), tensorOf(`${name}.c`, [2, 8], noise(16, i + 5, 0.01))]),
    });
    expect(site).toMatchObject({ kind: 'self', headDim: 4, valueDim: 4, kvHeads: 2 });
  });
});
