/** A model that one form of an operator is refused for; files of this folder export lists of them, which operators.test.ts finds by themselves. */
import type { NewModel } from '../../../../extension/engine/onnx/build.ts';
import { dataType, type NewNode, type NewTensor, type ValueInfo } from '../../../../extension/engine/onnx/model.ts';

/** `operator` and `form` as in the row; every node of `model` that the sentence is about gives it. */
export interface RefusedModel { readonly operator: string; readonly form: string; readonly model: NewModel }

/** A model of one node named `n0` with these inputs (undefined: left out) and as many outputs. */
export function oneNode(operator: string, inputs: readonly (readonly (number | string)[] | undefined)[], attributes: NewNode['attributes'] = {}, outputs = 1, types: readonly number[] = []): NewModel {
  const at = operator.lastIndexOf('.'), domain = operator.slice(0, at), names = Array.from({ length: outputs }, (_, i) => `o${i}`);
  const values: ValueInfo[] = inputs.flatMap((dims, i) => (dims ? [{ name: `i${i}`, type: types[i] ?? dataType.float, dims }] : []));
  return {
    nodes: [{ op: operator.slice(at + 1), domain: domain === 'ai.onnx' ? '' : domain, name: 'n0', inputs: inputs.map((dims, i) => (dims ? `i${i}` : '')), outputs: names, attributes }],
    inputs: values, outputs: names.map(name => ({ name, type: dataType.float })), initializers: [] as NewTensor[],
    opset: { '': 24, ...(domain === 'ai.onnx' ? {} : { [domain]: 1 }) },
  };
}
