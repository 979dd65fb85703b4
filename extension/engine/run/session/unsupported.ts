/** What onnxruntime refuses for a reason that people can do something about: which part of the model, why, and the way around. */
import { basename } from 'node:path';
import { UserError } from '../../../contract/errors.ts';
import { dataType, type Graph, type Model } from '../../onnx/model.ts';

/** Undefined where `message`, onnxruntime's own, says nothing that is known here. */
export function unsupported(model: Model, message: string): UserError | undefined {
  const file = basename(model.path), kernel = /Could not find an implementation for (\w+)\(\d+\)/.exec(message)?.[1], window = /Unrecognized attribute: ((?:left|right)_window_size) for operator Attention/.exec(message)?.[1];
  const unknown = /([\w.]+):(\w+)\(-?\d+\) is not a registered function\/op/.exec(message);
  if (kernel && usesBfloat16(model.graph)) return new UserError(`${file} computes in bfloat16, and onnxruntime 1.30 has no ${kernel} of that type for the CPU.`, 'Export the model in float32 or float16.');
  if (window) return new UserError(`${file} gives Attention a window (${window}), which onnxruntime 1.30 does not know.`, 'Export the model with operator set 24, where the window is a mask.');
  if (unknown) return new UserError(`${file} has the operator ${unknown[1]}.${unknown[2]}, which onnxruntime 1.30 does not know.`, 'Export the model without it.');
  return undefined;
}

function usesBfloat16({ initializers, inputs, values, nodes }: Graph): boolean {
  const is = (type: number | undefined): boolean => type === dataType.bfloat16;
  return [...initializers.values(), ...inputs, ...values.values()].some(({ type }) => is(type)) || nodes.some(node => node.op === 'Cast' && is(node.attributes.get('to')?.i));
}
