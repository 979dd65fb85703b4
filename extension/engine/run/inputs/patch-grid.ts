/** The patch grid of a vision tower, from the convolution that embeds patches; config.json where there is none. */
import type { TraceImage } from '../../../contract/trace.ts';
import type { GraphView, Node, ValueInfo } from '../../onnx/model.ts';
import { findBeside, readJsonObject } from '../../folder/beside.ts';

/** Operators between pixel values and the patch embedding that move no pixel. */
const elementwise = /^(Cast|Identity|Sub|Mul|Div|Add|Clip|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear)$/;

/** Rows and columns are 0 where neither says. */
export function patchGrid(view: GraphView, input: ValueInfo, height: number, width: number): Pick<TraceImage, 'patches' | 'covered'> {
  const found = embedding(view, input.name), none = { patches: { rows: 0, columns: 0 }, covered: [height, width] as const };
  if (found) {
    const ints = (name: string, otherwise: readonly number[]): readonly number[] => found.attributes.get(name)?.ints ?? otherwise;
    const kernel = ints('kernel_shape', view.dims(found.inputs[1])?.slice(2).map(dim => dim ?? 0) ?? []), strides = ints('strides', [1, 1]), pads = ints('pads', [0, 0, 0, 0]);
    if (kernel.length !== 2 || strides.length !== 2 || strides.some(stride => stride < 2)) return none;
    const rows = Math.floor((height + pads[0] + pads[2] - kernel[0]) / strides[0]) + 1, columns = Math.floor((width + pads[1] + pads[3] - kernel[1]) / strides[1]) + 1;
    return rows > 0 && columns > 0 ? { patches: { rows, columns }, covered: [rows * strides[0], columns * strides[1]] } : none;
  }
  const side = patchSize(view.model.path), rows = Math.floor(height / (side ?? Infinity)), columns = Math.floor(width / (side ?? Infinity));
  return side !== undefined && rows > 0 && columns > 0 ? { patches: { rows, columns }, covered: [rows * side, columns * side] } : none;
}

/** The first convolution that reads the pixels. */
function embedding(view: GraphView, input: string): Node | undefined {
  const values = [input], seen = new Set(values);
  for (let at = 0; at < values.length && at < 64; at++) for (const node of view.consumers(values[at])) {
    if (/^(Conv|ConvInteger|QLinearConv|FusedConv)$/.test(node.op) && node.inputs[0] === values[at]) return node;
    if (elementwise.test(node.op)) for (const output of node.outputs) if (!seen.has(output)) { seen.add(output); values.push(output); }
  }
  return undefined;
}

function patchSize(path: string): number | undefined {
  const file = findBeside(path, 'config.json', 4 * 2 ** 20), config = file === undefined ? {} : readJsonObject(file), vision = config.vision_config as Record<string, unknown> | undefined;
  const size = vision?.patch_size ?? config.patch_size;
  return typeof size === 'number' && Number.isInteger(size) && size >= 1 && size <= 1024 ? size : undefined;
}
