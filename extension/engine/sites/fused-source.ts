/** Where a fused operator was written: the optimizer that fused it dropped its names, but the value that it makes, the projections around it and its weights keep theirs. */
import type { SiteSource } from '../../contract/site.ts';
import type { GraphView, Node } from '../onnx/model.ts';
import { exporterKey, modulePath, pythonList, sourceOf } from './names.ts';
import { passes } from './walk.ts';

const linear = new Set(['MatMul', 'Gemm', 'MatMulNBits', 'MatMulInteger', 'FusedMatMul', 'QLinearMatMul', 'DynamicQuantizeMatMul', 'MatMulIntegerToFloat']);
const layout = new Set(['Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'DynamicQuantizeLinear', 'QuantizeLinear', 'DequantizeLinear']);
const attention = /att(entio)?n/i;
const nothing = { class: null, file: null, line: null };

/** `weights`: initializers that are inputs of the operator itself. */
export function fusedSource(view: GraphView, node: Node, weights: readonly string[]): SiteSource {
  const own = sourceOf(node, [], []);
  if (own.level !== 'none') return own;
  // The output kept the name of the value that the last of the fused nodes made.
  const output = modulePath(node.outputs[0].replace(/_output_\d+$/, ''));
  if (output) return { module: attentionOf(output) ?? output, ...nothing, level: 'node-path' };
  const after = projectionAfter(view, node.outputs[0]), around = [...(after ? [after] : []), ...projectionsBefore(view, node)];
  for (const projection of around) { const found = exported(projection); if (found) return found; }
  for (const projection of around) {
    const path = modulePath(projection.name);
    if (path) return { module: attentionOf(path) ?? parent(path), ...nothing, level: 'node-path' };
  }
  // A weight that several nodes read was merged with another of the same numbers, and its name is the other's.
  const biases = around.flatMap(projection => view.consumers(projection.outputs[0]).filter(next => next.op === 'Add')), names = [...weights, ...[...around, ...biases].flatMap(each => each.inputs)];
  const weight = names.find(name => view.graph.initializers.has(name) && view.consumers(name).length === 1 && /\.\d+\..*\.(weight|bias)(_\w+)?$/.test(name));
  if (weight) { const path = weight.split('.').slice(0, -1).join('.'); return { module: attentionOf(path) ?? parent(path), ...nothing, level: 'initializer' }; }
  return { module: null, ...nothing, level: 'none' };
}

/** The module of the attention, from what the exporter wrote on one of its projections. */
function exported(projection: Node): SiteSource | undefined {
  const scopes = pythonList(projection.metadata.get(exporterKey('name_scopes')) ?? ''), classes = pythonList(projection.metadata.get(exporterKey('class_hierarchy')) ?? '');
  if (scopes.length < 3) return undefined;
  const at = classes.length === scopes.length ? classes.findLastIndex(name => attention.test(name.split('.').pop()!)) : -1, module = scopes[at > 0 ? at : scopes.length - 3];
  const written = at > 0 ? classes[at].split('.') : [], className = written.pop() ?? null;
  return { module, ...nothing, class: className, ...(written.length ? { classModule: written.join('.') } : {}), level: 'class-hierarchy' };
}

/** A path up to the part that is named for attention. */
function attentionOf(path: string): string | undefined {
  const parts = path.split('.'), at = parts.findLastIndex(part => attention.test(part));
  if (at < 0) return undefined;
  return parts.slice(0, parts[at + 1] === 'self' ? at + 2 : at + 1).join('.');
}

function parent(path: string): string { return path.split('.').slice(0, -1).join('.'); }

/** The projection that reads the output, W_O. */
function projectionAfter(view: GraphView, value: string): Node | undefined {
  let at = value;
  for (let steps = 0; steps < 8; steps++) {
    const readers = view.consumers(at), found = readers.find(reader => linear.has(reader.op));
    if (found) return found;
    const next = readers.find(reader => layout.has(reader.op) || passes(reader));
    if (!next) return undefined;
    at = next.outputs[0];
  }
  return undefined;
}

/** The projections that made the inputs, where these are not inside the operator. */
function projectionsBefore(view: GraphView, node: Node): Node[] {
  if (node.op === 'Attention' || node.op === 'QAttention') return [];
  return node.inputs.slice(0, 3).flatMap(input => {
    let made = view.producer(input);
    for (let steps = 0; made && !linear.has(made.op) && steps < 8; steps++) {
      const next: string | undefined = made.inputs.find(name => view.producer(name));
      made = made.op === 'Add' || made.op === 'Mul' || layout.has(made.op) || passes(made) ? view.producer(next ?? '') : undefined;
    }
    return made ? [made] : [];
  });
}
