/** What an ONNX file is to us: a graph of named values whose tensors stay where they are in the file. Types only. */
import type { UsualName } from '../folder/genai-names.ts';

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
  /** Which of several functions of one name; most nodes have none. */
  readonly overload?: string;
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

/** Bytes of the file as they were when it was opened. `holes` are payloads of big tensors that were never read. */
export interface Document {
  readonly size: number;
  /** Bytes [start, end) of the file; throws where a hole lies inside. */
  bytes(start: number, end: number): Uint8Array;
  /** Calls `visit` for every field of the message that fills [start, end). */
  scan(start: number, end: number, visit: (field: Field) => void): void;
  /** Ascending [start, end) ranges that were skipped. */
  readonly holes: readonly (readonly [number, number])[];
  /** How many bytes were read from the disk to open the model. */
  readonly bytesRead: number;
}
/** One field of a protobuf message: [start, end) with its tag, the value from `at`. */
export interface Field { readonly number: number; readonly wire: number; readonly start: number; readonly at: number; readonly end: number; /** Of a varint field. */ readonly value: number }

export interface Model {
  /** Absolute path of the .onnx file. */
  readonly path: string;
  /** The folder that onnxruntime must take external data from (`session.model_external_initializers_file_folder_path`). */
  readonly dataFolder: string;
  /** Files that hold weights outside the model file: location as written → absolute real path. */
  readonly dataFiles: ReadonlyMap<string, string>;
  /** SHA-256 (hex) of the file without the bytes of its initializers. */
  readonly graphHash: string;
  readonly document: Document;
  readonly bytes: number;
  readonly irVersion: number;
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: Graph;
  /** Functions of the model's own, by `functionKey` (`domain:name`). */
  readonly functions: ReadonlyMap<string, LocalFunction>;
  /** What an input or output is called elsewhere, where genai_config.json says that this graph calls it otherwise. */
  readonly usual: UsualName;
  /** In a graph that was rewritten in memory: the location by which tensors name the model file itself. */
  readonly ownData?: string;
}

/** What is known of a function without unfolding it: the operators of its body and of the graphs inside, and the version of ai.onnx that it is written for. */
export interface LocalFunction { readonly ops: readonly string[]; readonly opset: number | undefined }

/** Value of an attribute of a new node: number is an int, number[] are ints. */
export type NewAttribute = number | string | readonly number[] | { readonly float: number } | { readonly floats: readonly number[] } | { readonly tensor: NewTensor };

/** A node to add. */
export interface NewNode {
  readonly op: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, NewAttribute>>;
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

/** Numbers known without running: row-major; integers and booleans are `int`. */
export interface Constant { readonly dims: readonly number[]; readonly data: readonly number[]; readonly int: boolean }

/** The graph with its lookups. */
export interface GraphView {
  readonly model: Model;
  readonly graph: Graph;
  producer(value: string): Node | undefined;
  consumers(value: string): readonly Node[];
  /** The numbers of a constant of at most 4,096 elements (initializer, Constant, or folded from these); undefined otherwise. */
  constant(value: string): Constant | undefined;
  /** The shape as far as it is known: of the file, or inferred from constants; undefined where not even the rank is. */
  dims(value: string): readonly (number | undefined)[] | undefined;
  /** The integers of a small 1-D value (a shape, axes), with undefined for those that only a run shows. */
  integers(value: string): readonly (number | undefined)[] | undefined;
}
