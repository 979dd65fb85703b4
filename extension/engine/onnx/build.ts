/** Writes whole new models: for compute kernels, tests and benchmarks. */
import { Pieces, encodeNode, encodeTensor, encodeValueInfo } from './encode.ts';
import type { NewNode, NewTensor, ValueInfo } from './model.ts';

/** A weight whose bytes lie in a file beside the model. */
export interface ExternalTensor { readonly name: string; readonly type: number; readonly dims: readonly number[]; readonly location: string; readonly offset: number; readonly length: number }

export interface NewModel {
  readonly nodes: readonly NewNode[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers?: readonly (NewTensor | ExternalTensor)[];
  /** Version of ai.onnx, or versions by domain; 17 when not given. */
  readonly opset?: number | Readonly<Record<string, number>>;
  readonly name?: string;
  readonly producer?: string;
}

/** A ModelProto; nodes must be in an order in which they can run. */
export function buildModel(model: NewModel): Uint8Array {
  const graph = new Pieces();
  for (const node of model.nodes) graph.message(1, encodeNode(node));
  graph.text(2, model.name ?? 'main');
  for (const tensor of model.initializers ?? []) graph.message(5, 'data' in tensor ? encodeTensor(tensor) : encodeExternal(tensor));
  for (const input of model.inputs) graph.message(11, encodeValueInfo(input));
  for (const output of model.outputs) graph.message(12, encodeValueInfo(output));
  const opsets = typeof model.opset === 'object' ? model.opset : { '': model.opset ?? 17 };
  const out = new Pieces().varint(1, irVersionFor(opsets[''] ?? 17)).text(2, model.producer ?? 'attnscope').message(7, graph);
  for (const [domain, version] of Object.entries(opsets)) {
    const entry = new Pieces();
    if (domain) entry.text(1, domain);
    out.message(8, entry.varint(2, version));
  }
  return out.join();
}

/** TensorProto with external data; `tensor.length` bytes from `tensor.offset` of `tensor.location`. */
export function encodeExternal(tensor: ExternalTensor): Pieces {
  return encodePlace(new Pieces().packed(1, tensor.dims).varint(2, tensor.type).text(8, tensor.name), tensor);
}

/** Appends external_data and data_location to a TensorProto. */
export function encodePlace(out: Pieces, place: { readonly location: string; readonly offset: number; readonly length: number }): Pieces {
  for (const [key, value] of [['location', place.location], ['offset', String(place.offset)], ['length', String(place.length)]]) {
    out.message(13, new Pieces().text(1, key).text(2, value));
  }
  return out.varint(14, 1);
}

/** The oldest IR version that carries an opset, so that old readers take what they can. */
function irVersionFor(opset: number): number { return opset >= 23 ? 11 : opset >= 21 ? 10 : opset >= 19 ? 9 : 8; }
