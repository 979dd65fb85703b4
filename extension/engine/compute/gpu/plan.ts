/** GPU work as data: passes over named buffers; no device, no clock, no dice. */

export interface Plan {
  /** Buffers that the passes write, by name, in elements of four bytes; zeroed before the first pass where `zero` names them. */
  readonly buffers: Readonly<Record<string, number>>;
  readonly zero?: readonly string[];
  readonly passes: readonly Pass[];
}

export interface Pass {
  /** File under shaders/. Its expanded text, `entry` and `constants` are the whole key of the pipeline. */
  readonly shader: `${string}.wgsl`;
  readonly entry?: string;
  /** WGSL `override`s, compiled in. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Fields of the uniform structs by name, in the order of their bindings. */
  readonly uniforms?: readonly Readonly<Record<string, number>>[];
  /** Bindings 0, 1, 2 … in this order: what is read, then what is written; the uniforms are the next ones. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly grid: readonly [x: number, y?: number, z?: number];
}

/** What a device allows, of what plans depend on. */
export interface Limits {
  readonly workgroupBytes: number;
  readonly invocations: number;
  readonly bindingBytes: number;
  readonly groupsPerDimension: number;
  /** 0: subgroups cannot be used. */
  readonly subgroupSize: number;
  /** 16-bit floats in shaders and a product of subgroup matrices, f16 → f32. */
  readonly matrices: boolean;
}
