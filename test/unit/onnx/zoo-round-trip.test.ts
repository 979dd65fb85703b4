/** Skeletons of every zoo file: without edits onnxruntime computes the same bits as from the file itself. */
import { expect, test } from 'vitest';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import { writeSkeleton } from '../../../extension/engine/onnx/writer.ts';
import { formCases, readReference, zooCases } from '../../zoo/cases.ts';
import { runModel } from '../../zoo/session.ts';

for (const zoo of [...zooCases(), ...formCases()]) {
  test(`${zoo.architecture}/${zoo.export}: a skeleton computes the same bits as the file`, async () => {
    const model = await openModel(zoo.file), reference = readReference(zoo.reference);
    const [own, ours] = [await runModel(model, reference), await runModel(model, reference, {})];
    expect(Object.keys(ours)).toEqual(Object.keys(own));
    for (const [name, tensor] of Object.entries(own)) expect(Buffer.from(bytesOf(ours[name].data)).equals(Buffer.from(bytesOf(tensor.data))), name).toBe(true);
    // The payload stays in the file: the skeleton is the file less what lies in the holes, and a place for each.
    const payload = model.document.holes.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(writeSkeleton(model).length).toBeLessThan(model.bytes - payload + 160 * model.document.holes.length);
    expect(payload).toBeGreaterThan(0);
  });
}

for (const level of ['disabled', 'basic', 'all'] as const) {
  test(`taps leave the other outputs as they were, to the last bit, at level ${level}`, async () => {
    for (const zoo of [...zooCases(), ...formCases()]) {
      const model = await openModel(zoo.file), reference = readReference(zoo.reference), { plans } = recognise(model);
      const taps = new Set(plans.flatMap(plan => [plan.q, plan.k, plan.v, plan.out].flatMap(operand => operand?.value ?? [])));
      const nodes = [...taps].map((value, i) => ({ op: 'Identity', name: `tap_${i}`, inputs: [value], outputs: [`tap_${i}`] }));
      // What a fused operator hides is made by nodes that its plan adds; several plans may add the same.
      const added = new Map(plans.flatMap(plan => plan.added?.nodes.map(node => [node.name, node] as const) ?? [])), initializers = new Map(plans.flatMap(plan => plan.added?.initializers.map(tensor => [tensor.name, tensor] as const) ?? []));
      const tapped = await runModel(model, reference, { nodes: [...added.values(), ...nodes], initializers: [...initializers.values()], outputs: nodes.map(node => ({ name: node.outputs[0] })) }, level);
      const own = await runModel(model, reference, {}, level);
      for (const [name, tensor] of Object.entries(own)) expect(Buffer.from(bytesOf(tapped[name].data)).equals(Buffer.from(bytesOf(tensor.data))), `${zoo.architecture}/${zoo.export} ${name}`).toBe(true);
      expect(Object.keys(tapped).length).toBe(Object.keys(own).length + taps.size);
    }
  });
}

function bytesOf(data: unknown): Uint8Array {
  const view = data as Float32Array;
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
