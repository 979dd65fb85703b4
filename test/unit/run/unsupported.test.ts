/** What onnxruntime 1.30 does not run is refused with a sentence of ours: bfloat16, windows of Attention, operators that it does not know. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { buildModel, type NewModel } from '../../../extension/engine/onnx/build.ts';
import { dataType, type NewNode } from '../../../extension/engine/onnx/model.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { floats, seeded } from '../../operators/fixture.ts';
import { safetensors } from '../../operators/trace-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-unsupported-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inputs = ['q', 'k', 'v'].map((name, i) => floats(name, [1, 2, 4, 8], seeded(i)));
const declared = inputs.map(({ name, dims }) => ({ name, type: dataType.float, dims }));
async function refusal(nodes: readonly NewNode[], opset: NewModel['opset']): Promise<string> {
  const model = join(folder, 'model.onnx'), file = join(folder, 'inputs.safetensors');
  writeFileSync(model, buildModel({ nodes, inputs: declared, outputs: [{ name: 'y', type: dataType.float }], opset }));
  writeFileSync(file, safetensors(inputs));
  const error = await capture({ model, prompt: { kind: 'tensors', file }, out: join(folder, 'out.attntrace') }, { progress: () => undefined }).then(() => undefined, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  expect(readdirSync(folder).filter(name => name.startsWith('out'))).toEqual([]);
  return (error as UserError).message;
}
const node = (op: string, from: string, to: string, attributes: NewNode['attributes'] = {}, domain?: string): NewNode => ({ op, name: `${op}_${to}`, inputs: from.split(' '), outputs: [to], attributes, domain });
const bf16 = ['q', 'k', 'v'].map(name => node('Cast', name, `${name}16`, { to: dataType.bfloat16 })), back = node('Cast', 'y16', 'y', { to: dataType.float });

it.each<[string, NewNode[], NewModel['opset'], string]>([
  ['attention written out in bfloat16', [...bf16, node('Transpose', 'k16', 'kT', { perm: [0, 1, 3, 2] }), node('MatMul', 'q16 kT', 's'), node('Softmax', 's', 'p', { axis: -1 }), node('MatMul', 'p v16', 'y16'), back], 18, 'model.onnx computes in bfloat16, and onnxruntime 1.30 has no MatMul of that type for the CPU.'],
  ['Attention in bfloat16', [...bf16, node('Attention', 'q16 k16 v16', 'y16'), back], 23, 'model.onnx computes in bfloat16, and onnxruntime 1.30 has no Expand of that type for the CPU.'],
  ['a window', [node('Attention', 'q k v', 'y', { left_window_size: 2 })], 25, 'model.onnx gives Attention a window (left_window_size), which onnxruntime 1.30 does not know.'],
  ['an operator of a stranger', [node('Attention', 'q k v', 'y0'), node('Polish', 'y0', 'y', {}, 'com.stranger')], { '': 23, 'com.stranger': 1 }, 'model.onnx has the operator com.stranger.Polish, which onnxruntime 1.30 does not know.'],
])('%s', async (_, nodes, opset, sentence) => expect(await refusal(nodes, opset)).toContain(sentence));
