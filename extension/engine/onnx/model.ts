/** What an ONNX file is to us: a graph of named values whose tensors stay where they are in the file. Types only. */

/** TensorProto.DataType numbers, by name. */
export const dataType = { float: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, string: 8, bool: 9, float16: 10, double: 11, uint32: 12, uint64: 13, bfloat16: 16 } as const;

/** A tensor's place: bytes in the model file, bytes in an external file, or inline in typed fields (`float_data` …). */
export interface Tensor {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly place:
    | { readonly kind: 'raw'; readonly offset: number; readonly length: number }
    | { readonly kind: 'external'; readonly location: string; readonly offset: number; readonly length: number }
    | { readonly kind: 'typed'; readonly offset: number; readonly length: number };
}

/** Dimension: a number, the name of a symbol, or undefined when nothing is said. */
export type Dim = number | string | undefined;
export interface ValueInfo { readonly name: string; readonly type?: number; readonly dims?: readonly Dim[] }

export interface Attribute {
  readonly name: string;
  readonly i?: number; readonly f?: number; readonly s?: string;
  readonly ints?: readonly number[]; readonly floats?: readonly number[]; readonly strings?: readonly string[];
  readonly tensor?: Tensor; readonly graph?: Graph; readonly graphs?: readonly Graph[];
}

export interface Node {
  readonly name: string;
  readonly op: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Declared types of inner values, where the file has them. */
  readonly values: ReadonlyMap<string, ValueInfo>;
}

export interface Model {
  /** Absolute path of the .onnx file. */
  readonly path: string;
  readonly bytes: number;
  readonly irVersion: number;
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: Graph;
}

/** A node to add; `attributes` values are number (int), { float }, string, number[] (ints), or a tensor constant. */
export interface NewNode {
  readonly op: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number | { readonly float: number } | string | readonly number[]>>;
}
export interface NewTensor { readonly name: string; readonly type: number; readonly dims: readonly number[]; readonly data: Uint8Array }

/** Changes to a graph. New nodes are placed so that the graph stays topologically sorted. */
export interface Edits {
  readonly nodes?: readonly NewNode[];
  readonly initializers?: readonly NewTensor[];
  readonly inputs?: readonly ValueInfo[];
  readonly outputs?: readonly ValueInfo[];
  /** Every reader of `from` (other than the new nodes) reads `to` instead; a graph output named `from` stays. */
  readonly rewire?: readonly { readonly from: string; readonly to: string }[];
}
