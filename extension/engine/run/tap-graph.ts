/** Collects the nodes that are added to a graph, spelling each operator as the model's operator set wants it. */
import { dataType, type Edits, type NewAttribute, type NewNode, type NewTensor, type ValueInfo } from '../onnx/model.ts';

/** Prefix of every name that we add. */
export const own = 'attnscope.';

export class TapGraph {
  readonly opset: number;
  readonly #nodes: NewNode[] = [];
  readonly #constants = new Map<string, NewTensor>();
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #rewire: { from: string; to: string }[] = [];
  #count = 0;
  constructor(opset: number) { this.opset = opset; }

  edits(): Edits {
    return { nodes: this.#nodes, initializers: [...this.#constants.values()], inputs: this.#inputs, outputs: this.#outputs, rewire: this.#rewire };
  }

  /** Adds a node with one output and gives the name of that. */
  node(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, NewAttribute>>): string {
    const output = `${own}${++this.#count}.${op}`;
    this.#nodes.push({ op, name: output, inputs, outputs: [output], ...(attributes ? { attributes } : {}) });
    return output;
  }

  input(name: string, type: number, dims: readonly (number | string)[]): string {
    if (!this.#inputs.some(input => input.name === own + name)) this.#inputs.push({ name: own + name, type, dims });
    return own + name;
  }

  /** Makes `value` an output of the graph and gives its name there: its own where a node of ours made it, since an Identity would copy. Without a type onnxruntime infers it. */
  output(value: string, type?: number): string {
    const made = this.#nodes.some(node => node.outputs[0] === value) ? value : this.node('Identity', [value]);
    this.#outputs.push({ name: made, ...(type === undefined ? {} : { type }) });
    return made;
  }
  /** `value` bit for bit, in any type and of a shape that onnxruntime still knows, that is there only after `others` are. */
  after(value: string, others: readonly string[]): string {
    const sum = this.node('Sum', others.map(other => this.touch(other)));
    return this.node('Where', [this.node('IsNaN', [sum]), value, value]);
  }

  /** Every reader of `from` in the model reads `to`. */
  rewire(from: string, to: string): void { this.#rewire.push({ from, to }); }

  /** A constant of int64s; a scalar when one number is given and not a list. */
  ints(values: readonly number[] | number): string {
    const list = typeof values === 'number' ? [values] : values;
    return this.#constant(`int.${typeof values === 'number' ? 's' : 'v'}${list.join('_')}`, dataType.int64, typeof values === 'number' ? [] : [list.length], new Uint8Array(BigInt64Array.from(list, BigInt).buffer));
  }
  floats(values: readonly number[] | number): string {
    const list = typeof values === 'number' ? [values] : values;
    return this.#constant(`float.${typeof values === 'number' ? 's' : 'v'}${list.join('_')}`, dataType.float, typeof values === 'number' ? [] : [list.length], new Uint8Array(Float32Array.from(list).buffer));
  }

  cast(value: string, to: number): string { return this.node('Cast', [value], { to }); }
  shape(value: string): string { return this.node('Shape', [value]); }
  /** One dimension, [1] int64. */
  dim(value: string, axis: number): string { return this.slice(this.shape(value), 0, axis, axis + 1); }
  slice(value: string, axis: number, start: number, end: number): string {
    return this.node('Slice', [value, this.ints([start]), this.ints([end]), this.ints([axis])]);
  }
  reshape(value: string, shape: string | readonly number[]): string { return this.node('Reshape', [value, typeof shape === 'string' ? shape : this.ints(shape)]); }
  transpose(value: string, perm: readonly number[]): string { return this.node('Transpose', [value], { perm }); }
  concat(values: readonly string[], axis: number): string { return this.node('Concat', values, { axis }); }
  unsqueeze(value: string, axes: readonly number[]): string {
    return this.opset >= 13 ? this.node('Unsqueeze', [value, this.ints(axes)]) : this.node('Unsqueeze', [value], { axes });
  }
  squeeze(value: string, axes: readonly number[]): string {
    return this.opset >= 13 ? this.node('Squeeze', [value, this.ints(axes)]) : this.node('Squeeze', [value], { axes });
  }
  reduceSum(value: string, axes: readonly number[], keepdims: 0 | 1): string {
    return this.opset >= 13 ? this.node('ReduceSum', [value, this.ints(axes)], { keepdims }) : this.node('ReduceSum', [value], { axes, keepdims });
  }
  /** A number, NaN or not, that is there only after `value` (of at least two axes) is; reads one row of it. */
  touch(value: string): string { return this.node('ReduceMax', [this.slice(value, 1, 0, 1)], { keepdims: 0 }); }
  /** 0, 1, … up to a [1] int64, as int64 [n]. */
  range(count: string): string { return this.node('Range', [this.ints(0), this.squeeze(count, [0]), this.ints(1)]); }

  #constant(key: string, type: number, dims: readonly number[], data: Uint8Array): string {
    const name = `${own}${key}`;
    if (!this.#constants.has(name)) this.#constants.set(name, { name, type, dims, data });
    return name;
  }
}
