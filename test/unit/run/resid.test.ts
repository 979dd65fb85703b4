/** `--keep resid`: the residual stream before each block, and traces of merged decoders in the branch that is fed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TraceRequest } from '../../../extension/contract/api.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { readTensor } from '../../../extension/engine/onnx/tensors.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import { openTrace } from '../../../extension/engine/trace/open.ts';
import { readReference } from '../../zoo/cases.ts';
import { runModel } from '../../zoo/session.ts';
import { mergedModel } from '../../zoo/wrapped.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-resid-')), zoo = join(import.meta.dirname, '../../zoo/models');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function traced(request: Omit<TraceRequest, 'out'>, name: string) {
  const out = join(folder, `${name}.attntrace`);
  await capture({ ...request, out }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out }), trace = openTrace(out);
  return { manifest, trace };
}

describe('the residual stream', () => {
  it.each([['llama/eager-ts', 'fp32'], ['gpt2/sdpa-dynamo23', 'fp32'], ['bert/eager-ts', 'fp32'], ['vit/sdpa-ts', 'fp32'], ['phi3/sdpa-dynamo23', 'fp16']] as const)('of %s is kept before every block, as the graph has it', async (file, dtype) => {
    const model = join(zoo, `${file}.onnx`), reference = join(zoo, file.split('/')[0], 'reference.safetensors');
    const { trace } = await traced({ model, prompt: { kind: 'tensors', file: reference }, keep: { resid: true }, dtype }, file.replace('/', '-'));
    try {
      const opened = await openModel(model), { plans } = recognise(opened), names = plans.map(plan => plan.site.block!.residPre);
      const nodes = names.map((name, i) => ({ op: 'Identity', name: `tap_${i}`, inputs: [name], outputs: [`tap_${i}`] }));
      const ran = await runModel(opened, readReference(reference), { nodes, outputs: nodes.map(node => ({ name: node.outputs[0] })) });
      plans.forEach((_, i) => {
        const name = `blocks.${i}.hook_resid_pre`, kept = trace.store.floats(name), own = ran[`tap_${i}`];
        expect(trace.store.tensors.get(name)!.shape).toEqual(own.dims);
        // Halves keep eleven bits.
        expect(Math.max(...Array.from(own.data as Float32Array, (value, at) => Math.abs(value - kept[at]) / Math.max(Math.abs(value), 1e-3)))).toBeLessThanOrEqual(dtype === 'fp16' ? 2 ** -11 : 0);
      });
    } finally { trace.close(); }
  });

  it('begins with the embeddings of the tokens', async () => {
    const model = join(zoo, 'llama/sdpa-ts.onnx'), ids = [5, 9, 6, 7], { trace } = await traced({ model, prompt: { kind: 'ids', ids }, keep: { resid: true }, dtype: 'fp32' }, 'embedded');
    try {
      const opened = await openModel(model), table = [...opened.graph.initializers.values()].find(tensor => /embed_tokens/.test(tensor.name))!, numbers = readTensor(opened, table, 1e6)!;
      expect([...trace.store.floats('blocks.0.hook_resid_pre')]).toEqual(ids.flatMap(id => numbers.slice(id * table.dims[1], (id + 1) * table.dims[1])));
    } finally { trace.close(); }
  });
});

describe('a merged decoder', () => {
  const file = join(folder, 'decoder_model_merged.onnx'), branch = (name: string): string => join(zoo, 'gpt2', name), reference = branch('reference.safetensors');
  writeFileSync(file, mergedModel({ then: branch('sdpa-ts.onnx'), otherwise: branch('eager-ts.onnx'), weights: 'inside' }));

  it.each([[undefined, 'eager-ts.onnx'], [1, 'sdpa-ts.onnx']] as const)('with use_cache_branch %s is traced as the branch alone is', async (fed, alone) => {
    const given = join(folder, `given-${fed}.safetensors`);
    writeFileSync(given, fed === undefined ? readFileSync(reference) : withFlag(reference, fed));
    const merged = await traced({ model: file, prompt: { kind: 'tensors', file: given }, dtype: 'fp32' }, `merged-${fed}`), plain = await traced({ model: branch(alone), prompt: { kind: 'tensors', file: reference }, dtype: 'fp32' }, `alone-${fed}`);
    try {
      expect(merged.manifest.sites).toEqual(plain.manifest.sites);
      expect(merged.manifest.parity).toEqual(plain.manifest.parity);
      expect(merged.manifest.filledInputs).toEqual(fed === undefined ? { use_cache_branch: 'false: no cache' } : {});
      for (const name of plain.trace.store.tensors.keys()) expect(merged.trace.store.floats(name), name).toEqual(plain.trace.store.floats(name));
    } finally { merged.trace.close(); plain.trace.close(); }
  });
});

/** The reference's inputs, and `use_cache_branch` [1] uint8. */
function withFlag(path: string, value: number): Buffer {
  const tensors: Record<string, { dtype: string; shape: readonly number[]; bytes: Buffer }> = { use_cache_branch: { dtype: 'U8', shape: [1], bytes: Buffer.of(value) } };
  for (const [name, { shape, data }] of readReference(path)) if (name.startsWith('in.')) tensors[name] = { dtype: 'I64', shape, bytes: Buffer.from(BigInt64Array.from(data, BigInt).buffer) };
  const table: Record<string, unknown> = {}, parts: Buffer[] = [];
  let at = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) { table[name] = { dtype, shape, data_offsets: [at, at + bytes.length] }; parts.push(bytes); at += bytes.length; }
  const header = Buffer.from(JSON.stringify(table)), size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([size, header, ...parts]);
}
