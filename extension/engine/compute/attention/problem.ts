/** One sample of one attention site as the GPU sees it: shapes, rule, what is there, and the uniforms that all kernels share. */
import type { Visibility } from '../../trace/visibility.ts';

/** Rows of q, k, v are padded with zeros to whole vec4; strides are in elements and multiples of four. */
export interface Problem {
  readonly heads: number; readonly kvHeads: number;
  readonly queries: number; readonly keys: number;
  readonly dim: number; readonly valueDim: number;
  readonly scale: number;
  /** 0: none. */
  readonly softcap: number;
  /** Key j is visible to query t iff t + offset − left ≤ j ≤ t + offset + right. */
  readonly offset: number; readonly left: number; readonly right: number;
  readonly sink: boolean;
  /** Keys that nobody sees are marked. */
  readonly marks: boolean;
  readonly blocks?: { readonly size: number; readonly offset: number; readonly layouts: number; readonly rows: number; readonly columns: number };
  /** Strides of the additive bias in elements; 0 broadcasts. */
  readonly bias?: { readonly head: number; readonly row: number; readonly key: number };
  /** From head to head and from position to position, in elements. */
  readonly strides: Readonly<Record<'q' | 'k' | 'v', readonly [head: number, row: number]>>;
}

const far = 2 ** 30;

/** The rule of `visibility` for sample `b`: everything but the contents of its tensors. */
export function ruleOf(visibility: Visibility, sink: boolean): Pick<Problem, 'offset' | 'left' | 'right' | 'sink' | 'marks' | 'blocks' | 'bias'> {
  const { rule: { causal, offset, window }, bias, blocks } = visibility, [before, after] = window ?? [-1, -1];
  return {
    offset, sink, marks: visibility.visibleKeys !== undefined,
    left: before < 0 ? far : before, right: Math.min(causal ? 0 : far, after < 0 ? far : after),
    ...(blocks ? { blocks: { size: blocks.size, offset: blocks.offset, layouts: blocks.dims[0], rows: blocks.dims[1], columns: blocks.dims[2] } } : {}),
    ...(bias ? { bias: { head: bias.dims[1] === 1 ? 0 : bias.dims[2] * bias.dims[3], row: bias.dims[2] === 1 ? 0 : bias.dims[3], key: bias.dims[3] === 1 ? 0 : 1 } } : {}),
  };
}

/** [head, position, dim] with nothing between; the usual layout of papers. */
export function denseStrides({ queries, keys, dim, valueDim }: Pick<Problem, 'queries' | 'keys' | 'dim' | 'valueDim'>): Problem['strides'] {
  const d = padded(dim), dv = padded(valueDim);
  return { q: [queries * d, d], k: [keys * d, d], v: [keys * dv, dv] };
}

export function padded(dim: number): number { return Math.ceil(dim / 4) * 4; }

/** Fields of `struct Params` in common/site.wgsl. */
export function params(of: Problem): Readonly<Record<string, number>> {
  const { q, k, v } = of.strides;
  return {
    group: of.heads / of.kvHeads, queries: of.queries, keys: of.keys, dim4: padded(of.dim) / 4, value_dim4: padded(of.valueDim) / 4,
    q_head: q[0] / 4, q_row: q[1] / 4, k_head: k[0] / 4, k_row: k[1] / 4, v_head: v[0] / 4, v_row: v[1] / 4,
    offset: of.offset, left: of.left, right: of.right, scale: of.scale, softcap: of.softcap,
    bias_head: of.bias?.head ?? 0, bias_row: of.bias?.row ?? 0, bias_key: of.bias?.key ?? 0,
    block_size: of.blocks?.size ?? 1, block_offset: of.blocks?.offset ?? 0, block_rows: of.blocks?.rows ?? 0, block_columns: of.blocks?.columns ?? 0, block_layouts: of.blocks?.layouts ?? 1,
  };
}

/** Overrides of common/site.wgsl. */
export function switches(of: Problem): Readonly<Record<string, number>> {
  return { SOFTCAP: Number(of.softcap > 0), BIAS: Number(of.bias !== undefined), SINK: Number(of.sink), MARKS: Number(of.marks), BLOCKS: Number(of.blocks !== undefined) };
}
