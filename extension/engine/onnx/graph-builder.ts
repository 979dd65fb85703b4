/** Collects nodes that are added to a graph, spelling each operator as the model's operator set wants it. */
import { createHash } from 'node:crypto';
import { dataType, type Edits, type NewAttribute, type NewNode, type NewTensor } from './model.ts';
import type { Dims } from './shapes.ts';

/** Prefix of every name that we add. */
export const own = 'attnscope.';

type Attributes = Readonly<Record<string, NewAttribute>>;

/** Values are names; every helper adds a node and gives the name of its (first) output. */
export class GraphBuilder {
  readonly opset: number;
  protected readonly nodes: NewNode[] = [];
  protected readonly constants = new Map<string, NewTensor>();
  /** Outputs of our nodes. */
  protected readonly made = new Set<string>();
  #count = 0;
  constructor(opset: number) { this.opset = opset; }

  /** Adds a node with one output and gives the name of that. An optional input that is not there is ''. */
  node(op: string, inputs: readonly string[], attributes?: Attributes, domain = ''): string { return this.several(op, inputs, 1, attributes, domain)[0]; }

  /** Adds a node with `count` outputs. */
  several(op: string, inputs: readonly string[], count: number, attributes?: Attributes, domain = ''): readonly string[] {
    const name = this.nameOf(op, () => [domain, op, inputs, attributes, count]), outputs = count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}.${i}`);
    if (this.made.has(outputs[0])) return outputs;
    this.add({ op, name, inputs, outputs, ...(domain ? { domain } : {}), ...(attributes ? { attributes } : {}) });
    return outputs;
  }

  protected add(node: NewNode): void {
    this.nodes.push(node);
    for (const output of node.outputs) this.made.add(output);
  }

  /** `content` is what the node is made of, as JSON takes it. */
  protected nameOf(op: string, _content: () => unknown): string { return `${own}${++this.#count}.${op}`; }

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
  /** Bounds are numbers, or [1] int64 values. */
  slice(value: string, axis: number, start: number | string, end: number | string): string {
    const bound = (at: number | string): string => (typeof at === 'number' ? this.ints([at]) : at);
    return this.node('Slice', [value, bound(start), bound(end), this.ints([axis])]);
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
  /** The last axis (or another) cut into parts of these sizes. */
  split(value: string, sizes: readonly number[], axis = -1): readonly string[] {
    return this.opset >= 13 ? this.several('Split', [value, this.ints(sizes)], sizes.length, { axis }) : this.several('Split', [value], sizes.length, { axis, split: sizes });
  }
  /** The smaller and the larger of two int64s, element by element: before opset 12 Min and Max are for floats. */
  least(a: string, b: string): string { return this.opset >= 12 ? this.node('Min', [a, b]) : this.node('Where', [this.node('Less', [a, b]), a, b]); }
  largest(a: string, b: string): string { return this.opset >= 12 ? this.node('Max', [a, b]) : this.node('Where', [this.node('Less', [a, b]), b, a]); }
  /** 0, 1, … up to a [1] int64, as int64 [n]. */
  range(count: string): string { return this.node('Range', [this.ints(0), this.squeeze(count, [0]), this.ints(1)]); }

  #constant(key: string, type: number, dims: readonly number[], data: Uint8Array): string {
    const name = `${own}${key.length > 60 ? `${key.slice(0, 40)}.${digest(key)}` : key}`;
    if (!this.constants.has(name)) this.constants.set(name, { name, type, dims, data });
    return name;
  }
}

/** What a plan adds to the tapped graph; `dims` are shapes of its values as far as they are known without running. */
export interface Added extends Required<Pick<Edits, 'nodes' | 'initializers'>> { readonly dims: ReadonlyMap<string, Dims> }

/**
 * For what a recogniser adds: nodes are named by what they are made of, so that what several sites make of the same values, as masks of
 * lengths, is there once and is tapped once.
 */
export class AddedGraph extends GraphBuilder {
  readonly #dims = new Map<string, Dims>();
  protected override nameOf(op: string, content: () => unknown): string { return `${own}${op}.${digest(JSON.stringify(content()))}`; }

  /** Says the shape of a value of ours; gives its name. */
  tell(value: string, dims: Dims): string { this.#dims.set(value, dims); return value; }

  added(): Added { return { nodes: this.nodes, initializers: [...this.constants.values()], dims: this.#dims }; }
}

function digest(text: string): string { return createHash('sha256').update(text).digest('hex').slice(0, 16); }
