/** What the operators of onnxruntime have in common: their scale, and the sentences for forms that its CPU kernels do not run. */
import type { Node } from '../../onnx/model.ts';
import { attributeFloat } from '../walk.ts';

export const unfused = 'export the model without fusing attention to trace it.';

export const noRank = `The number of axes of its mask is not in the graph; ${unfused}`;

/** A form that has no kernel on the CPU. */
export function cudaOnly(operator: string, form: string): string { return `onnxruntime runs ${operator} with ${form} on CUDA only, and traces are made on the CPU; ${unfused}`; }

/** What scores are multiplied with: the attribute, or 1 / √dim where it is absent or 0. */
export function scaleOf(node: Node, dim: number): number { return attributeFloat(node, 'scale', 0) || 1 / Math.sqrt(dim); }
