/** The nodes, inputs and outputs that taps add to a graph. */
import { GraphBuilder, own, type Added } from '../../onnx/graph-builder.ts';
import type { Edits, ValueInfo } from '../../onnx/model.ts';

export class TapGraph extends GraphBuilder {
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #rewire: { from: string; to: string }[] = [];

  edits(): Edits {
    return { nodes: this.nodes, initializers: [...this.constants.values()], inputs: this.#inputs, outputs: this.#outputs, rewire: this.#rewire };
  }

  /** Takes over what a plan adds; what another plan added as well stays there once. */
  include({ nodes, initializers }: Added): void {
    for (const node of nodes) if (!this.made.has(node.outputs[0])) this.add(node);
    for (const tensor of initializers) this.constants.set(tensor.name, tensor);
  }

  input(name: string, type: number, dims: readonly (number | string)[]): string {
    if (!this.#inputs.some(input => input.name === own + name)) this.#inputs.push({ name: own + name, type, dims });
    return own + name;
  }

  /** Makes `value` an output of the graph and gives its name there: its own where a node of ours made it, since an Identity would copy. Without a type onnxruntime infers it. */
  output(value: string, type?: number): string {
    const made = this.made.has(value) && !this.#outputs.some(output => output.name === value) ? value : this.node('Identity', [value]);
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

  /** A number, NaN or not, that is there only after `value` (of at least two axes) is; reads one row of it. */
  touch(value: string): string { return this.node('ReduceMax', [this.slice(value, 1, 0, 1)], { keepdims: 0 }); }
}
