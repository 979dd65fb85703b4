/** Branches and functions put into the graph: the same bits as the user's file computes, the same sites as without them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { Pieces, encodeNode, encodeValueInfo, tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { branchInputs, inlineModel } from '../../../extension/engine/onnx/inline.ts';
import { dataType, type Model, type NewNode } from '../../../extension/engine/onnx/model.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { readTensor } from '../../../extension/engine/onnx/tensors.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';
import { recognise, recogniseInlined, sitesReport } from '../../../extension/engine/sites/recognise.ts';
import type { Site } from '../../../extension/contract/site.ts';
import { readReference, type ZooTensor } from '../../zoo/cases.ts';
import { evaluate } from '../../zoo/evaluate.ts';
import { runModel, type Level } from '../../zoo/session.ts';
import { functionModel, graphAttribute, layeredModel, localFunction, mergedModel } from '../../zoo/wrapped.ts';

const folder = mkdtempSync(join(tmpdir(), 'onnx-inline-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const zoo = join(import.meta.dirname, '../../zoo/models'), gpt2 = (file: string): string => join(zoo, 'gpt2', file);
const reference = readReference(gpt2('reference.safetensors'));
const branch = (value: boolean): ReadonlyMap<string, ZooTensor> => new Map([...reference, ['in.use_cache_branch', { dtype: 'U8', shape: [1], data: Float64Array.of(value ? 1 : 0) }]]);

async function open(name: string, bytes: Uint8Array): Promise<Model> {
  writeFileSync(join(folder, name), bytes);
  return openModel(join(folder, name));
}

async function sameBits(whole: Model, inlined: Model, feeds: ReadonlyMap<string, ZooTensor>, level: Level): Promise<Record<string, ort.Tensor>> {
  const own = await runModel(whole, feeds, undefined, level), ours = await runModel(inlined, feeds, {}, level);
  expect(Object.keys(ours)).toEqual(Object.keys(own));
  for (const [name, tensor] of Object.entries(own)) expect(Buffer.from(bytesOf(ours[name])).equals(Buffer.from(bytesOf(tensor))), `${name} at ${level}`).toBe(true);
  return own;
}
function bytesOf(tensor: ort.Tensor): Uint8Array { const data = tensor.data as Float32Array; return new Uint8Array(data.buffer, data.byteOffset, data.byteLength); }

/** Bytes of weights that a graph in memory repeats, where they should lie in the file. */
function copied(model: Model): number { return [...model.graph.initializers.values()].filter(tensor => tensor.place.kind !== 'external' && tensor.dims.length === 2).reduce((sum, tensor) => sum + tensor.place.length, 0); }

describe('a merged decoder', () => {
  it.each([['inside', 'sdpa-ts.onnx'], ['outside', 'eager-ts.onnx']] as const)('with weights %s of the branches computes what its file computes, in the branch that is asked for', async (weights, then) => {
    const whole = await open(`merged-${weights}.onnx`, mergedModel({ then: gpt2(then), otherwise: gpt2('eager-ts.onnx'), weights, negated: true }));
    expect(branchInputs(whole)).toEqual(['use_cache_branch']);
    const results: Record<string, ort.Tensor>[] = [];
    for (const value of [false, true]) {
      const inlined = inlineModel(whole, { use_cache_branch: value });
      expect(inlined.graph.nodes.some(node => node.op === 'If')).toBe(false);
      expect({ path: inlined.path, hash: inlined.graphHash, bytes: inlined.bytes, inputs: inlined.graph.inputs, outputs: inlined.graph.outputs.map(output => output.name) })
        .toEqual({ path: whole.path, hash: whole.graphHash, bytes: whole.bytes, inputs: whole.graph.inputs, outputs: whole.graph.outputs.map(output => output.name) });
      // Matrices of more than a kilobyte stay in the user's file.
      expect(copied(inlined)).toBe(0);
      for (const level of ['disabled', 'basic', 'all'] as const) results.push(await sameBits(whole, inlined, branch(value), level));
    }
    expect(Buffer.from(bytesOf(results[0].out)).equals(Buffer.from(bytesOf(results[3].out)))).toBe(false);
  });

  it('lists each layer once, under its own name, and gives PyTorch\'s probabilities in both branches', async () => {
    const whole = await open('merged.onnx', mergedModel({ then: gpt2('sdpa-ts.onnx'), otherwise: gpt2('eager-ts.onnx'), weights: 'inside' }));
    const report = sitesReport(whole), plain = sitesReport(await openModel(gpt2('eager-ts.onnx')));
    expect(report.sites).toEqual(plain.sites);
    expect(report.refused).toEqual([]);
    expect(report.assumed).toEqual({ use_cache_branch: false });
    for (const value of [false, true]) {
      const model = inlineModel(whole, { use_cache_branch: value }), { plans } = recognise(model), found = await evaluate(model, plans, branch(value));
      expect(plans.map(plan => plan.site.name)).toEqual(plain.sites.map(site => site.name));
      found.forEach((one, i) => {
        const expected = reference.get(`attn.attentions.${i}`)!, [, heads, length] = expected.shape, { data: mask } = reference.get('in.attention_mask')!;
        // Rows of padding are nobody's.
        const real = (at: number): boolean => mask[Math.floor(at / (heads * length * length)) * length + Math.floor(at / length) % length] !== 0;
        expect(Math.max(...expected.data.map((p, j) => (real(j) ? Math.abs(p - one!.pattern.data[j]) : 0)))).toBeLessThan(1e-5);
      });
    }
  });

  it('with attention in the other branch alone is listed with that', async () => {
    const attends = new Pieces(), pass = new Pieces().message(1, encodeNode({ op: 'Identity', name: 'pass', inputs: ['x'], outputs: ['same'] })).text(2, 'else').message(12, encodeValueInfo({ name: 'same', type: 1 }));
    for (const node of softmaxNodes) attends.message(1, encodeNode(node));
    const bytes = branching(attends.text(2, 'then').message(12, encodeValueInfo({ name: 'y', type: 1 })), pass);
    const { plans, assumed } = recogniseInlined(await open('one-sided.onnx', bytes));
    expect([plans.length, assumed]).toEqual([1, { c: true }]);
  });
});

/** Attention of one head over x [1, 4, 8] itself. */
const softmaxNodes: readonly NewNode[] = [
  { op: 'Transpose', name: 't', inputs: ['x'], outputs: ['xt'], attributes: { perm: [0, 2, 1] } }, { op: 'MatMul', name: 'qk', inputs: ['x', 'xt'], outputs: ['s'] },
  { op: 'Softmax', name: 'deep', inputs: ['s'], outputs: ['p'], attributes: { axis: -1 } }, { op: 'MatMul', name: 'pv', inputs: ['p', 'x'], outputs: ['y'] },
];
const x = { name: 'x', type: dataType.float, dims: [1, 4, 8] };

/** y = If(condition) over two branches; the condition is what `conditions` make of the input c. */
function branching(then: Pieces, otherwise: Pieces, conditions: readonly NewNode[] = [], condition = 'c'): Uint8Array {
  const graph = new Pieces();
  for (const node of conditions) graph.message(1, encodeNode(node));
  graph.message(1, encodeNode({ op: 'If', name: 'choice', inputs: [condition], outputs: ['z'] }).message(5, graphAttribute('then_branch', then)).message(5, graphAttribute('else_branch', otherwise)));
  graph.text(2, 'g').message(11, encodeValueInfo(x)).message(11, encodeValueInfo({ name: 'c', type: dataType.bool, dims: [1] })).message(12, encodeValueInfo({ name: 'z', type: 1, dims: [1, 4, 8] }));
  return new Pieces().varint(1, 9).message(7, graph).message(8, new Pieces().varint(2, 18)).join();
}

describe('branches', () => {
  const leaf = (nodes: readonly NewNode[], output: string, more: readonly Pieces[] = []): Pieces => {
    const graph = new Pieces();
    for (const node of nodes) graph.message(1, encodeNode(node));
    for (const tensor of more) graph.message(5, tensor);
    return graph.text(2, 'leaf').message(12, encodeValueInfo({ name: output, type: 1 }));
  };
  const number = (name: string, value: number): Pieces => { const { data, dims, type } = tensorOf(name, [1], [value]); return new Pieces().packed(1, dims).varint(2, type).text(8, name).bytes(9, data); };

  it('in branches, on conditions that follow from an input, with names that are used twice', async () => {
    // "a" is a value of the main graph's other branch, of both inner leaves, and a weight of each.
    const inner = encodeNode({ op: 'If', name: 'choice', inputs: ['d'], outputs: ['w'] })
      .message(5, graphAttribute('then_branch', leaf([{ op: 'Add', name: 'n', inputs: ['x', 'k'], outputs: ['a'] }], 'a', [number('k', 3)]))).message(5, graphAttribute('else_branch', leaf([{ op: 'Mul', name: 'n', inputs: ['x', 'k'], outputs: ['a'] }], 'a', [number('k', 5)])));
    const then = new Pieces().message(1, encodeNode({ op: 'Not', name: 'not', inputs: ['c'], outputs: ['d'] })).message(1, inner).text(2, 'then').message(12, encodeValueInfo({ name: 'w', type: 1 }));
    // What this branch gives is a weight of it: no node of its own makes it.
    const { data, dims, type } = tensorOf('w', [1, 4, 8], Array.from({ length: 32 }, (_, i) => i / 2));
    const otherwise = leaf([{ op: 'Neg', name: 'n', inputs: ['x'], outputs: ['a'] }], 'w', [new Pieces().packed(1, dims).varint(2, type).text(8, 'w').bytes(9, data)]);
    const whole = await open('nested.onnx', branching(then, otherwise, [{ op: 'Not', name: 'no', inputs: ['c'], outputs: ['e'] }, { op: 'Not', name: 'yes', inputs: ['e'], outputs: ['k'] }], 'k'));
    for (const value of [false, true]) {
      const inlined = inlineModel(whole, { c: value });
      expect(inlined.graph.nodes.map(node => node.op)).toEqual(value ? ['Not', 'Not', 'Not', 'Mul'] : ['Not', 'Not', 'Neg', 'Identity']);
      const names = [...inlined.graph.nodes.flatMap(node => node.outputs), ...inlined.graph.initializers.keys()];
      expect(new Set(names).size).toBe(names.length);
      const feeds = new Map<string, ZooTensor>([['in.x', { dtype: 'F32', shape: [1, 4, 8], data: Float64Array.from({ length: 32 }, (_, i) => i - 9) }], ['in.c', { dtype: 'U8', shape: [1], data: Float64Array.of(Number(value)) }]]);
      const own = await sameBits(whole, inlined, feeds, 'basic');
      expect(own.z.data[1]).toBe(value ? -40 : 0.5);
    }
  });

  it('that only the run can choose between stay, and attention in them is refused with the reason', async () => {
    const sum: NewNode[] = [{ op: 'ReduceSum', name: 'sum', inputs: ['x'], outputs: ['all'], attributes: { keepdims: 0 } }, { op: 'Greater', name: 'compare', inputs: ['all', 'zero'], outputs: ['positive'] }, { op: 'CastLike', name: 'zeros', inputs: ['c', 'x'], outputs: ['zero'] }];
    const attends = leaf(softmaxNodes, 'y'), plain = leaf([{ op: 'Softmax', name: 'router', inputs: ['x'], outputs: ['r'] }], 'r');
    const model = await open('run-time.onnx', branching(attends, plain, [sum[2], sum[0], sum[1]], 'positive'));
    expect(inlineModel(model)).toBe(model);
    expect(sitesReport(model)).toMatchObject({ sites: [], refused: [{ node: 'deep', operator: 'Softmax', reason: 'It lies in a branch of the If "choice", whose condition ("positive") is computed while the model runs, so that nobody can say beforehand whether it runs; export the model without the condition.' }] });
  });

  it('a loop is looked into and refused by name; a softmax that is no attention is nothing to tell', async () => {
    const body = (nodes: readonly NewNode[], output: string): Pieces => {
      const graph = new Pieces();
      for (const node of [...nodes, { op: 'Identity', name: 'go on', inputs: ['go'], outputs: ['on'] }]) graph.message(1, encodeNode(node));
      return graph.text(2, 'body').message(11, encodeValueInfo({ name: 'i', type: dataType.int64, dims: [] })).message(11, encodeValueInfo({ name: 'go', type: dataType.bool, dims: [] })).message(11, encodeValueInfo({ ...x, name: 'v' }))
        .message(12, encodeValueInfo({ name: 'on', type: dataType.bool })).message(12, encodeValueInfo({ name: output, type: 1 }));
    };
    const looped = (inner: Pieces): Uint8Array => new Pieces().varint(1, 9).message(7, new Pieces().message(1, encodeNode({ op: 'Loop', name: 'steps', inputs: ['n', '', 'x'], outputs: ['z'] }).message(5, graphAttribute('body', inner))).text(2, 'g')
      .message(11, encodeValueInfo({ name: 'n', type: dataType.int64, dims: [] })).message(11, encodeValueInfo(x)).message(12, encodeValueInfo({ name: 'z', type: 1 }))).message(8, new Pieces().varint(2, 18)).join();
    const model = await open('loop.onnx', looped(body(softmaxNodes, 'y')));
    expect(sitesReport(model).refused).toEqual([{ node: 'deep', operator: 'Softmax', reason: 'It lies in the body of the Loop "steps", which runs it again and again on other values; only attention that runs once can be read. Export the model with the loop unrolled.' }]);
    const classifier = await open('classifier.onnx', looped(body([{ op: 'Softmax', name: 'classes', inputs: ['v'], outputs: ['r'] }], 'r')));
    expect(sitesReport(classifier)).toMatchObject({ sites: [], refused: [] });
  });
});

describe('functions of the model', () => {
  it('that call functions, with attributes handed through, compute the same bits and keep their call\'s name', async () => {
    const whole = await open('layers.onnx', layeredModel()), inlined = inlineModel(whole), { plans } = recognise(inlined);
    expect(inlined.functions.size).toBe(0);
    const feeds = new Map<string, ZooTensor>([['in.x', { dtype: 'F32', shape: [1, 5, 16], data: Float64Array.from({ length: 80 }, (_, i) => Math.cos(i * 0.7)) }]]);
    for (const level of ['disabled', 'basic', 'all'] as const) await sameBits(whole, inlined, feeds, level);
    expect(plans.map(({ site }) => [site.name, site.node, site.heads, site.headDim, site.scale])).toEqual([['blocks.0.attn', '/layers.0/attn/attend/probabilities', 4, 4, 0.5], ['blocks.1.attn', '/layers.1/attn/attend/probabilities', 4, 4, 0.25]]);
    for (const one of await evaluate(inlined, plans, feeds)) expect(Math.max(...one!.ownPattern!.data.map((p, i) => Math.abs(p - one!.pattern.data[i])))).toBeLessThan(1e-6);
  });

  it('that hold a whole decoder give its sites, its probabilities and its bits; weights stay in the file', async () => {
    const whole = await open('whole.onnx', functionModel(gpt2('eager-dynamo18.onnx'))), plain = await openModel(gpt2('eager-dynamo18.onnx')), inlined = inlineModel(whole);
    for (const level of ['disabled', 'basic'] as const) await sameBits(whole, inlined, reference, level);
    expect(copied(inlined)).toBe(0);
    const { plans } = recognise(inlined), expected = recognise(plain).plans;
    // Values and nodes are named after the call.
    const strip = (site: Site): unknown => JSON.parse(JSON.stringify(site).replaceAll('call/', ''));
    expect(plans.map(({ site }) => strip(site))).toEqual(expected.map(({ site }) => strip(site)));
    const [one] = [...inlined.graph.initializers.values()].filter(tensor => tensor.place.kind === 'external'), same = plain.graph.initializers.get(one.name)!;
    expect(readTensor(inlined, one, 1e6)).toEqual(readTensor(plain, same, 1e6));
  });

  it('that call themselves, or that unfold without end, do no harm', async () => {
    const call = (op: string, to: string, from: string): NewNode => ({ op, domain: 'local', name: '', inputs: [from], outputs: [to] });
    const model = (functions: readonly Pieces[], op: string): Uint8Array => {
      const out = new Pieces().varint(1, 9).message(7, new Pieces().message(1, encodeNode({ ...call(op, 'y', 'x'), name: 'start' })).text(2, 'g').message(11, encodeValueInfo({ ...x })).message(12, encodeValueInfo({ name: 'y', type: 1 })))
        .message(8, new Pieces().varint(2, 18)).message(8, new Pieces().text(1, 'local').varint(2, 1));
      for (const one of functions) out.message(25, one);
      return out.join();
    };
    const around = localFunction({ name: 'around', inputs: ['a'], outputs: ['c'], nodes: [{ op: 'Softmax', name: 's', inputs: ['a'], outputs: ['b'] }, call('around', 'c', 'b')] });
    expect(sitesReport(await open('around.onnx', model([around], 'around'))).refused).toEqual([{ node: 'start', operator: 'local.around', reason: 'It calls a function of the model that holds attention and cannot be unfolded: it calls itself. Export the model with its functions inlined.' }]);
    const doubling = Array.from({ length: 40 }, (_, i) => localFunction({ name: `f${i}`, inputs: ['a'], outputs: ['c'], nodes: i === 39 ? [{ op: 'Neg', name: '', inputs: ['a'], outputs: ['c'] }] : [call(`f${i + 1}`, 'b', 'a'), call(`f${i + 1}`, 'c', 'b')] }));
    const bomb = await open('bomb.onnx', model(doubling, 'f0'));
    expect(() => inlineModel(bomb)).toThrow(/unfold to more than/);
  });

  it('a model without either is left as it is', async () => {
    const model = await openModel(gpt2('eager-ts.onnx'));
    expect(inlineModel(model)).toBe(model);
    expect(writeSkeleton(inlineModel(model))).toEqual(writeSkeleton(model));
  });
});
