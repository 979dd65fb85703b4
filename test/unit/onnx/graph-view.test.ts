/** What the graph view claims without running, against what onnxruntime computes: every inferred size and every folded number of the zoo. */
import { expect, test } from 'vitest';
import { viewGraph } from '../../../extension/engine/onnx/graph-view.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { formCases, readReference, zooCases } from '../../zoo/cases.ts';
import { runModel } from '../../zoo/session.ts';

for (const zoo of [...zooCases(), ...formCases()]) {
  test(`${zoo.architecture}/${zoo.export}`, async () => {
    const model = await openModel(zoo.file), view = viewGraph(model);
    // A sequence of tensors is nothing that onnxruntime's Node package hands out.
    const values = model.graph.nodes.filter(node => node.op !== 'SplitToSequence').flatMap(node => node.outputs.filter(Boolean));
    const run = await runModel(model, readReference(zoo.reference), { outputs: values.map(name => ({ name })) }, 'disabled');
    let sizes = 0, constants = 0;
    for (const value of values) {
      const dims = view.dims(value), constant = view.constant(value), tensor = run[value];
      if (dims) {
        expect(dims.map((dim, i) => dim ?? tensor.dims[i]), value).toEqual([...tensor.dims]);
        sizes += dims.filter(dim => dim !== undefined).length;
      }
      view.integers(value)?.forEach((number, i) => { if (number !== undefined && tensor.type !== 'float32') expect(number, value).toBe(Number(tensor.data[i])); });
      if (!constant) continue;
      expect(constant.dims, value).toEqual([...tensor.dims]);
      constant.data.forEach((number, i) => {
        const theirs = Number(tensor.data[i]);
        // float64 here, float32 there; 64-bit integers beyond 2^53 lose their last digits here.
        expect(number === theirs || Math.abs(number - theirs) <= 1e-6 * Math.abs(theirs), `${value}[${i}] is ${theirs}, folded to ${number}`).toBe(true);
      });
      constants++;
    }
    expect(sizes).toBeGreaterThan(values.length / 2);
    if (zoo.export.endsWith('ts')) expect(constants).toBeGreaterThan(0);
  });
}
