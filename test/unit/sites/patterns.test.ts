/** Small graphs built here: what is a site, what is not, what can only be read at its softmax, and what is said when nothing is found. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type NewAttribute, type NewNode, type NewTensor, type ValueInfo } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { recognise, type Recognised } from '../../../extension/engine/sites/recognise.ts';

const folder = mkdtempSync(join(tmpdir(), 'site-patterns-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Line = readonly [op: string, inputs: string, output: string, attributes?: Readonly<Record<string, NewAttribute>>, domain?: string];
async function sites(lines: readonly Line[], inputs: readonly ValueInfo[], initializers: readonly NewTensor[] = [], opset: number | Record<string, number> = 18): Promise<Recognised> {
  const nodes: NewNode[] = lines.map(([op, from, to, attributes, domain], i) => ({ op, name: `n${i}`, inputs: from.split(' ').map(name => (name === '_' ? '' : name)), outputs: to.split(' '), attributes, domain }));
  const path = join(folder, 'model.onnx');
  writeFileSync(path, buildModel({ nodes, inputs, outputs: [{ name: nodes[nodes.length - 1].outputs[0], type: dataType.float }], initializers, opset }));
  return recognise(await openModel(path));
}
const float = (name: string, ...dims: (number | string)[]): ValueInfo => ({ name, type: dataType.float, dims });
const scalar = (name: string, value: number): NewTensor => tensorOf(name, [], [value]);
const [q, k, v] = ['q', 'k', 'v'].map(name => float(name, 2, 4, 'T', 8));
const kT: Line = ['Transpose', 'k', 'kT', { perm: [0, 1, 3, 2] }];
const end: Line[] = [['Softmax', 's', 'p', { axis: -1 }], ['MatMul', 'p v', 'o']];

describe('what is a site', () => {
  it('scale before, scale after, scale split, scale as a division', async () => {
    for (const [lines, scale] of [
      [[['Mul', 'q c', 'q2'], kT, ['MatMul', 'q2 kT', 's']], 0.25], [[kT, ['MatMul', 'q kT', 's0'], ['Mul', 's0 c', 's']], 0.25],
      [[['Mul', 'q c', 'q2'], kT, ['Mul', 'kT c', 'k2'], ['MatMul', 'q2 k2', 's']], 0.0625], [[kT, ['MatMul', 'q kT', 's0'], ['Div', 's0 c', 's']], 4], [[kT, ['MatMul', 'q kT', 's']], 1],
    ] as [Line[], number][]) {
      const { plans } = await sites([...lines, ...end], [q, k, v], [scalar('c', 0.25)]);
      expect(plans.map(plan => [plan.site.scale, plan.q?.value, plan.k?.value, plan.v?.value])).toEqual([[scale, 'q', 'kT', 'v']]);
    }
  });
  it('softcap, with the scale inside or folded into the cap', async () => {
    const folded = await sites([kT, ['MatMul', 'q kT', 's0'], ['Div', 's0 c', 's1'], ['Tanh', 's1', 's2'], ['Mul', 's2 cap', 's'], ...end], [q, k, v], [scalar('c', 100), scalar('cap', 50)]);
    expect(folded.plans[0].site).toMatchObject({ softcap: 50, scale: 0.5 });
  });
  it('masks that are chosen, and masks that are added', async () => {
    const keep = { name: 'keep_mask', type: dataType.bool, dims: [2, 1, 'T', 'T'] };
    const chosen = await sites([kT, ['MatMul', 'q kT', 's0'], ['Where', 'keep_mask s0 low', 's'], ...end], [q, k, v, keep], [scalar('low', -Infinity)]);
    expect(chosen.plans[0].masks).toEqual([{ value: 'keep_mask', as: 'keep' }]);
    const dropped = await sites([kT, ['MatMul', 'q kT', 's0'], ['Where', 'keep_mask low s0', 's'], ...end], [q, k, v, keep], [scalar('low', -1e9)]);
    expect(dropped.plans[0].masks).toEqual([{ value: 'keep_mask', as: 'drop' }]);
    const biased = await sites([kT, ['MatMul', 'q kT', 's0'], ['Add', 'bias s0', 's'], ...end], [q, k, v, float('bias', 1, 4, 'T', 'T')]);
    expect(biased.plans[0]).toMatchObject({ masks: [{ value: 'bias', as: 'add' }], site: { mask: { causal: false, additive: true } } });
  });
  it('a choice whose filling does not hide is no mask', async () => {
    const keep = { name: 'keep_mask', type: dataType.bool, dims: [2, 1, 'T', 'T'] };
    expect((await sites([kT, ['MatMul', 'q kT', 's0'], ['Where', 'keep_mask s0 low', 's'], ...end], [q, k, v, keep], [scalar('low', -3)])).plans[0].site.capture).toBe('softmax-only');
  });
  it('heads that are repeated by Expand, by Tile, by Gather, or broadcast', async () => {
    const few = [q, float('k', 2, 2, 'T', 8), float('v', 2, 2, 'T', 8)];
    const shapes = [tensorOf('two', [1], [2], dataType.int64), tensorOf('five', [5], [1, 1, 2, 1, 1], dataType.int64), tensorOf('four', [4], [0, 4, -1, 8], dataType.int64), tensorOf('heads', [4], [0, 0, 1, 1], dataType.int64)];
    const repeat = (how: string, x: string): Line[] => (how === 'Gather' ? [['Gather', `${x} heads`, `${x}R`, { axis: 1 }]] : [['Unsqueeze', `${x} two`, `${x}U`], [how, `${x}U five`, `${x}E`], ['Reshape', `${x}E four`, `${x}R`]]);
    for (const how of ['Expand', 'Tile', 'Gather']) {
      const { plans: [plan] } = await sites([...repeat(how, 'k'), ...repeat(how, 'v'), ['Transpose', 'kR', 'kT', { perm: [0, 1, 3, 2] }], ['MatMul', 'q kT', 's'], ['Softmax', 's', 'p'], ['MatMul', 'p vR', 'o']], few, shapes);
      expect([plan.k?.value, plan.v?.value, plan.site.heads, plan.site.kvHeads], how).toEqual(['k', 'v', 4, 2]);
    }
    const { plans: [one] } = await sites([kT, ['MatMul', 'q kT', 's'], ...end], [q, float('k', 2, 1, 'T', 8), float('v', 2, 1, 'T', 8)]);
    expect([one.site.heads, one.site.kvHeads]).toEqual([4, 1]);
  });
});

describe('what a mask does', () => {
  const positions = [{ name: 'i', type: dataType.int64, dims: [1, 1, 'T', 1] }, { name: 'j', type: dataType.int64, dims: [1, 1, 1, 'T'] }];
  const numbers = [tensorOf('five', [], [5], dataType.int64), tensorOf('zero', [], [0], dataType.int64), tensorOf('one', [], [1], dataType.int64), scalar('low', -Infinity)];
  const causal: Line[] = [['LessOrEqual', 'j i', 'a']];
  it.each<[string, Line[], { causal: boolean; window: unknown }]>([
    ['key ≤ query', [...causal, ['And', 'a a', 'keep']], { causal: true, window: null }],
    ['query ≥ key', [['GreaterOrEqual', 'i j', 'keep']], { causal: true, window: null }],
    ['key < query + 1', [['Add', 'i one', 'i1'], ['Less', 'j i1', 'keep']], { causal: true, window: null }],
    ['not (key > query)', [['Greater', 'j i', 'drop'], ['Not', 'drop', 'keep']], { causal: true, window: null }],
    ['query − key ≥ 0', [['Sub', 'i j', 'd'], ['GreaterOrEqual', 'd zero', 'keep']], { causal: true, window: null }],
    ['and key > query − 5', [...causal, ['Sub', 'i five', 'i5'], ['Greater', 'j i5', 'b'], ['And', 'a b', 'keep']], { causal: true, window: 5 }],
    ['and query − key < 5', [...causal, ['Sub', 'i j', 'd'], ['Less', 'd five', 'b'], ['And', 'a b', 'keep']], { causal: true, window: 5 }],
    ['and query − key ≤ 5', [...causal, ['Sub', 'i j', 'd'], ['LessOrEqual', 'd five', 'b'], ['And', 'a b', 'keep']], { causal: true, window: 6 }],
    ['and not (query − key ≥ 5)', [...causal, ['Sub', 'i j', 'd'], ['GreaterOrEqual', 'd five', 'c'], ['Not', 'c', 'b'], ['And', 'a b', 'keep']], { causal: true, window: 5 }],
    ['|query − key| ≤ 5', [['Sub', 'i j', 'd'], ['Abs', 'd', 'd1'], ['LessOrEqual', 'd1 five', 'keep']], { causal: false, window: [5, 5] }],
  ])('%s', async (_, lines, wanted) => {
    const { plans: [plan] } = await sites([...lines, kT, ['MatMul', 'q kT', 's0'], ['Where', 'keep s0 low', 's'], ...end], [q, k, v, ...positions], numbers);
    expect(plan.site.mask).toMatchObject({ ...wanted, additive: false });
  });
  it.each([[16, null], [5, 5]])('a stored triangle of width %d', async (width, window) => {
    const cells = Array.from({ length: 256 }, (_, at) => Number(at % 16 <= at / 16 && Math.floor(at / 16) - (at % 16) < width));
    const { plans: [plan] } = await sites([['Slice', 'stored zero1 n2 axis2', 'keep'], kT, ['MatMul', 'q kT', 's0'], ['Where', 'keep s0 low', 's'], ...end], [q, k, v, { name: 'n2', type: dataType.int64, dims: [1] }],
      [tensorOf('stored', [1, 1, 16, 16], cells, dataType.bool), tensorOf('zero1', [1], [0], dataType.int64), tensorOf('axis2', [1], [2], dataType.int64), scalar('low', -1e30)]);
    expect(plan.site.mask).toEqual({ causal: true, window, padding: false, additive: false });
  });
});

describe('what is none', () => {
  it('a classifier, and a router that mixes experts', async () => {
    const x = float('x', 2, 'T', 8), w = tensorOf('w', [8, 3], new Array<number>(24).fill(0.1));
    const classifier = await sites([['MatMul', 'x w', 's'], ['Softmax', 's', 'p']], [x], [w]);
    expect(classifier.plans).toEqual([]);
    expect(classifier.looked).toBe('There is no attention that can be read in model.onnx: of 2 nodes, 1 Softmax and no fused attention operator were looked at; none takes a product of two activations and feeds a product with a third.');
    expect((await sites([['MatMul', 'x w', 's'], ['Softmax', 's', 'p'], ['MatMul', 'p experts', 'o']], [x, float('experts', 2, 3, 8)], [w])).plans).toEqual([]);
  });
  it('pooling by one learned query', async () => {
    const probe = tensorOf('probe', [1, 4, 1, 8], new Array<number>(32).fill(0.1));
    expect((await sites([['Shape', 'k', 'n', { start: 0, end: 1 }], ['Concat', 'n rest', 'shape', { axis: 0 }], ['Expand', 'probe shape', 'q'], kT, ['MatMul', 'q kT', 's'], ...end], [k, v], [probe, tensorOf('rest', [3], [4, 1, 8], dataType.int64)])).plans).toEqual([]);
  });
});

describe('what can only be read at its softmax', () => {
  it('scores that went through something unknown', async () => {
    const { plans } = await sites([kT, ['MatMul', 'q kT', 's0'], ['CumSum', 's0 axis', 's'], ...end], [q, k, v], [tensorOf('axis', [], [3], dataType.int64)]);
    expect(plans.map(plan => [plan.site.capture, plan.q, plan.softmax?.probs, plan.site.heads])).toEqual([['softmax-only', undefined, 'p', 4]]);
  });
});

describe('operators', () => {
  it('Attention with three axes, grouped heads, a past and a causal rule', async () => {
    const { plans: [plan], refused } = await sites([['Attention', 'x3 k3 v3 _ pk pv', 'y nk nv', { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, softcap: { float: 30 } }]],
      [float('x3', 2, 'S', 32), float('k3', 2, 'S', 16), float('v3', 2, 'S', 16), float('pk', 2, 2, 'P', 8), float('pv', 2, 2, 'P', 8)], [], 23);
    expect(refused).toEqual([]);
    expect(plan).toMatchObject({
      q: { value: 'x3', layout: 'b s (h d)', heads: 4 }, k: { value: 'nk', layout: 'b h s d', heads: 2 }, v: { value: 'nv', layout: 'b h s d', heads: 2 }, out: { value: 'y', layout: 'b s (h d)', heads: 4 },
      rule: { causal: true, offset: 'past', window: null }, softcap: 30, site: { heads: 4, kvHeads: 2, headDim: 8, valueDim: 8, mask: { causal: true }, operator: 'Attention', capture: 'recomputed' },
    });
    expect(plan.site.scale).toBeCloseTo(1 / Math.sqrt(8), 6);
  });
  it('refuses by name what it cannot read', async () => {
    const { plans, refused, looked } = await sites([['GroupQueryAttention', 'x', 'y', { num_heads: 4 }, 'com.microsoft']], [float('x', 2, 'T', 32)], [], { '': 18, 'com.microsoft': 1 });
    expect(plans).toEqual([]);
    expect(refused).toEqual([{ node: 'n0', operator: 'com.microsoft.GroupQueryAttention', reason: 'Its 0 key/value heads do not divide its 4 query heads.' }]);
    expect(looked).toContain('1 fused attention operator were looked at');
  });
});

describe('hostile graphs', () => {
  it('sums that fork at every step, and masks made of them, take no time', async () => {
    const fork = (from: string, to: string, count: number): Line[] => Array.from({ length: count }, (_, i) => ['Add', `${i ? `${to}${i - 1}` : from} ${i ? `${to}${i - 1}` : from}`, i === count - 1 ? to : `${to}${i}`]);
    const keep = { name: 'keep_mask', type: dataType.bool, dims: [2, 1, 'T', 'T'] };
    const start = performance.now();
    await sites([kT, ['MatMul', 'q kT', 'x'], ...fork('x', 's', 60), ...end], [q, k, v]);
    await sites([kT, ['MatMul', 'q kT', 's0'], ['Where', 'keep_mask zero low', 'm'], ...fork('m', 'n', 60), ...fork('bias', 'c', 60), ['Add', 's0 n', 's1'], ['Add', 's1 c', 's'], ...end], [q, k, v, keep, float('bias', 1, 1, 'T', 'T')], [scalar('zero', 0), scalar('low', -1e9)]);
    await sites([kT, ['MatMul', 'q kT', 's0'], ...fork('rows', 'r', 60), ...fork('columns', 'c', 60), ['Less', 'r c', 'keep'], ['Where', 'keep s0 low', 's'], ...end], [q, k, v, float('rows', 1, 1, 'T', 1), float('columns', 1, 1, 1, 'T')], [scalar('low', -1e9)]);
    expect(performance.now() - start).toBeLessThan(30_000);
  });
  it('a Transpose that names an axis of billions, or one twice, is layout that nobody can follow', async () => {
    for (const perm of [[0, 2_147_483_000, 1, 3], [0, 2, 2, 3], [0, -1, 1, 3]]) {
      const { plans } = await sites([['MatMul', 'x w', 'q0'], ['Reshape', 'q0 shape', 'q1'], ['Transpose', 'q1', 'q', { perm }], kT, ['MatMul', 'q kT', 's'], ...end], [float('x', 2, 'T', 32), k, v], [tensorOf('w', [32, 32], new Array<number>(1024).fill(1)), tensorOf('shape', [4], [0, 0, 4, 8], dataType.int64)]);
      expect(plans.map(plan => plan.site.weights?.q ?? null)).toEqual([null]);
    }
  });
  it('a graph of two thousand attentions', async () => {
    const lines = Array.from({ length: 2000 }, (_, i): Line[] => [['MatMul', `${i ? `o${i - 1}` : 'q'} kT`, `s${i}`], ['Softmax', `s${i}`, `p${i}`], ['MatMul', `p${i} v`, `o${i}`]]).flat();
    const start = performance.now(), { plans } = await sites([kT, ...lines], [q, k, v]);
    expect(plans.length).toBe(2000);
    expect(plans[1999].site.name).toBe('blocks.1999.attn');
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});

it('an operator of attention that lacks an input is refused by name', async () => {
  const { plans, refused } = await sites([['Attention', 'q k', 'o']], [q, k], [], 23);
  expect([plans, refused]).toEqual([[], [{ node: 'n0', operator: 'Attention', reason: 'It has fewer inputs or outputs than attention takes; export the model again.' }]]);
});
