/** A fixture: a model around one attention operator, what it is fed, and what its attention must be, computed here in float64. */
import { tensorOf } from '../../extension/engine/onnx/encode.ts';
import { dataType, type NewAttribute, type NewNode } from '../../extension/engine/onnx/model.ts';
import type { NewModel } from '../../extension/engine/onnx/build.ts';
import type { Site } from '../../extension/contract/site.ts';

/** An input of the operator. */
export interface Fed {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
  /** A `dataType`; float when not given. */
  readonly type?: number;
  /** A weight of the model instead of something that it is fed. */
  readonly weight?: true;
}

/** Attention in numbers, [batch, position, head, dim] row-major; k and v have the heads of the cache. */
export interface Twin {
  readonly batch: number; readonly heads: number; readonly kvHeads: number; readonly queries: number; readonly keys: number; readonly dim: number; readonly valueDim: number;
  readonly q: Float64Array; readonly k: Float64Array; readonly v: Float64Array;
  readonly scale: number;
  readonly softcap?: number;
  readonly sees: (b: number, h: number, i: number, j: number) => boolean;
  /** Added to capped scores. */
  readonly bias?: (b: number, h: number, i: number, j: number) => number;
  /** [head]: logits in the denominator alone. */
  readonly sink?: readonly number[];
}

export interface Fixture {
  /** `com.microsoft.Attention: causal, past`. */
  readonly name: string;
  readonly model: NewModel;
  readonly inputs: readonly Fed[];
  readonly twin: Twin;
  /** The model's output that is the attention's, [batch, query, head · dim] or [batch, query, head, dim]; of the twin, that is. */
  readonly output: string;
  /** An output that holds the operator's own scores or probabilities, [batch, head, query, key]; only keys that are seen are compared. */
  readonly scores?: { readonly output: string; readonly of: 'score' | 'prob' };
  /** Inputs and outputs of the model that must be one buffer. */
  readonly shared?: readonly (readonly [input: string, output: string])[];
  /** What the site must say of itself, before and after the run. */
  readonly site: Partial<Site>;
  /** What a run shows beyond that. */
  readonly traced?: Partial<Site>;
  /** Of probabilities, and of stored values and outputs relative to the largest; 1e-5 when not given: float32 sums of a few dozen terms in any order. */
  readonly tolerance?: number;
}

/** A node with one operator, as a model: inputs that are not weights are fed. */
export function operatorModel(of: { readonly op: string; readonly domain?: string; readonly name?: string; readonly inputs: readonly (Fed | undefined)[]; readonly outputs: readonly string[]; readonly attributes?: Readonly<Record<string, NewAttribute>>; readonly opset?: Readonly<Record<string, number>>; readonly before?: readonly NewNode[] }): Pick<Fixture, 'model' | 'inputs'> {
  const { op, domain, name = 'attention', outputs, attributes = {}, opset = { '': 17, 'com.microsoft': 1 } } = of, inputs = of.inputs.filter(input => input !== undefined), last = of.inputs.findLastIndex(input => input !== undefined);
  return {
    inputs: inputs.filter(input => !input.weight),
    model: {
      nodes: [...(of.before ?? []), { op, ...(domain ? { domain } : {}), name, inputs: of.inputs.slice(0, last + 1).map(input => input?.name ?? ''), outputs, attributes }],
      inputs: inputs.filter(input => !input.weight).map(({ name: input, dims, type = dataType.float }) => ({ name: input, type, dims })),
      initializers: inputs.filter(input => input.weight).map(({ name: weight, dims, data, type = dataType.float }) => tensorOf(weight, dims, Array.from(data), type)),
      outputs: outputs.filter(Boolean).map(output => ({ name: output, type: dataType.float })), opset,
    },
  };
}

/** The same in float16: what is fed are multiples of 1/64, which float16 has; the first output is made wide again behind the operator. */
export function inHalf({ model, inputs }: Pick<Fixture, 'model' | 'inputs'>): Pick<Fixture, 'model' | 'inputs'> {
  const narrow = (type: number | undefined): number => (type === undefined || type === dataType.float ? dataType.float16 : type), [first] = model.outputs, last = model.nodes[model.nodes.length - 1];
  return {
    inputs: inputs.map(input => ({ ...input, type: narrow(input.type) })),
    model: {
      ...model, inputs: model.inputs.map(input => ({ ...input, type: narrow(input.type) })), outputs: [first, ...model.outputs.slice(1).map(output => ({ ...output, type: dataType.float16 }))],
      nodes: [...model.nodes.slice(0, -1), { ...last, outputs: ['narrow', ...last.outputs.slice(1)] }, { op: 'Cast', name: 'wide', inputs: ['narrow'], outputs: [first.name], attributes: { to: dataType.float } }],
    },
  };
}
export function sixtyFourths<F extends Fed & { readonly data: Float32Array }>(fed: F): F { return { ...fed, data: fed.data.map(value => Math.round(value * 64) / 64) }; }

/** Numbers in [0, 1), the same for the same seed (Numerical Recipes' generator). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** Numbers that are float32 to the last bit, spread evenly over ±`spread`. */
export function floats(name: string, dims: readonly number[], random: () => number, spread = 1): Fed & { readonly data: Float32Array } {
  return { name, dims, data: Float32Array.from({ length: count(dims) }, () => (random() * 2 - 1) * spread) };
}

export function ints(name: string, dims: readonly number[], data: readonly number[], type: number = dataType.int32): Fed { return { name, dims, data, type }; }

export function count(dims: readonly number[]): number { return dims.reduce((product, dim) => product * dim, 1); }

/** An array of [a, b, c, d] from what stands at each place. */
export function fill4(dims: readonly [number, number, number, number], at: (a: number, b: number, c: number, d: number) => number): Float64Array {
  const out = new Float64Array(count(dims)), [A, B, C, D] = dims;
  for (let a = 0, n = 0; a < A; a++) for (let b = 0; b < B; b++) for (let c = 0; c < C; c++) for (let d = 0; d < D; d++) out[n++] = at(a, b, c, d);
  return out;
}

/** A bias [batch or 1, head or 1, query, key] read where it is broadcast. */
export function broadcastBias(bias: Fed): (b: number, h: number, i: number, j: number) => number {
  const [B, N, S, T] = bias.dims;
  return (b, h, i, j) => bias.data[(((B === 1 ? 0 : b) * N + (N === 1 ? 0 : h)) * S + (S === 1 ? 0 : i)) * T + j];
}
