/** Values that a graph computes in the same way from the same things, as exporters repeat masks in every layer: they need one tap. */
import type { GraphView } from '../../onnx/model.ts';

/** Longer chains are taken as different: no exporter builds a mask that deep. */
const deepest = 200;

/** Gives each value a number; equal numbers mean equal values. */
export function sameValues(view: GraphView): (value: string) => number {
  const numbers = new Map<string, number>(), keys = new Map<string, number>();
  const intern = (key: string): number => {
    const known = keys.get(key);
    if (known !== undefined) return known;
    keys.set(key, keys.size);
    return keys.size - 1;
  };
  const number = (value: string, depth: number): number => {
    const known = numbers.get(value);
    if (known !== undefined) return known;
    const found = intern(describe(value, depth));
    numbers.set(value, found);
    return found;
  };
  const describe = (value: string, depth: number): string => {
    if (value === '') return 'none';
    const constant = view.constant(value);
    if (constant) return `constant ${constant.int} ${constant.dims.join()} ${constant.data.join()}`;
    const node = view.producer(value);
    if (!node || depth >= deepest || /^(Random|Multinomial|Bernoulli|Dropout)/.test(node.op)) return `value ${value}`;
    const attributes: string[] = [];
    for (const { name, tensor, graph, graphs, ...plain } of node.attributes.values()) {
      if (tensor || graph || graphs) return `value ${value}`;
      attributes.push(`${name}=${JSON.stringify(plain)}`);
    }
    return `${node.domain}:${node.op} ${attributes.sort().join()} ${node.outputs.indexOf(value)} (${node.inputs.map(input => number(input, depth + 1)).join()})`;
  };
  return value => number(value, 0);
}
