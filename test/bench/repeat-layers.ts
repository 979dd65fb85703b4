/** Makes an export of any depth from one of two layers: the nodes of its second layer again and again, as the exporter would write them. */
import { readFileSync } from 'node:fs';
import { Pieces } from '../../extension/engine/onnx/encode.ts';
import type { Field } from '../../extension/engine/onnx/model.ts';
import { readRawNode, type RawNode } from '../../extension/engine/onnx/raw-node.ts';
import { FileBytes } from '../../extension/engine/onnx/wire.ts';

/** `from`: the value that the second layer reads of the first; `to`: the one that it gives. Layers share their weights. */
export interface Joint { readonly from: string; readonly to: string; readonly layer: string }

/** The joints of the zoo's TorchScript decoders of the Llama family. */
export const llamaJoint: Joint = { from: '/m/model/layers.0/Add_1_output_0', to: '/m/model/layers.1/Add_1_output_0', layer: 'layers.1/' };

/** ModelProto bytes with at least `nodes` nodes. */
export function repeatLayers(file: string, joint: Joint, nodes: number): Uint8Array {
  const bytes = FileBytes.of(readFileSync(file), file), before: Pieces[] = [], layer: RawNode[] = [], after: RawNode[] = [];
  const out = new Pieces(), rest: Field[] = [];
  let graph: Field | undefined;
  bytes.scan(0, bytes.size, field => { if (field.number === 7) graph = field; });
  bytes.scan(graph!.at, graph!.end, field => {
    if (field.number !== 1) { rest.push(field); return; }
    const node = readRawNode(bytes, field);
    if (node.name.includes(joint.layer)) layer.push(node);
    else if (!layer.length) before.push(new Pieces().raw(bytes.bytes(field.at, field.end)));
    else after.push(node);
  });
  const depth = Math.max(1, Math.ceil((nodes - before.length - after.length) / layer.length)), inner = new Pieces(), name = (at: number) => joint.layer.replace('1', String(at + 1));
  const last = joint.to.replace(joint.layer, name(depth - 1));
  for (const node of before) inner.message(1, node);
  for (let at = 0; at < depth; at++) {
    const previous = at ? joint.to.replace(joint.layer, name(at - 1)) : joint.from;
    for (const node of layer) inner.message(1, renamed(bytes, node, value => (value === joint.from ? previous : value.startsWith('/') ? value.replace(joint.layer, name(at)) : value)));
  }
  for (const node of after) inner.message(1, renamed(bytes, node, value => (value === joint.to ? last : value)));
  for (const field of rest) inner.raw(bytes.bytes(field.start, field.end));
  bytes.scan(0, bytes.size, field => { if (field.number === 7) out.message(7, inner); else out.raw(bytes.bytes(field.start, field.end)); });
  return out.join();
}

function renamed(bytes: FileBytes, node: RawNode, rename: (value: string) => string): Pieces {
  const out = new Pieces();
  bytes.scan(node.field.at, node.field.end, field => {
    if (field.number > 3) out.raw(bytes.bytes(field.start, field.end));
    else out.text(field.number, rename(bytes.text(field.at, field.end)));
  });
  return out;
}
