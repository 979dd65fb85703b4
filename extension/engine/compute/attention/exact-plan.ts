/** Exact attention as plans: the naive one that is written to be read, and the tiled ones that never hold T×T (card: exact-attention). */
import { UserError } from '../../../contract/errors.ts';
import type { Limits, Plan } from '../gpu/plan.ts';
import { chooseGrid, gridConstants } from './grid.ts';
import { padded, params, switches, type Problem } from './problem.ts';

/** Buffers out [head, query, padded value dim] and lse [head, query] (below −5e37: no key seen); reads q, k, v, bias, sink, marks. */
export function tiledPlan(of: Problem, limits: Limits, type: 'f32' | 'f16' = 'f32'): Plan {
  const grid = chooseGrid(of.dim, of.valueDim, limits);
  if (!grid) throw tooLarge(of, limits);
  return {
    buffers: outputs(of),
    passes: [{
      shader: `exact/tiled-${type}${grid.subgroups ? '-subgroups' : ''}.wgsl`, constants: { ...gridConstants(grid), KEYS: grid.KEYS, ...switches(of) }, uniforms: [params(of)],
      reads: ['q', 'k', 'v', 'bias', 'sink', 'marks'], writes: ['out', 'lse'], grid: [of.heads, Math.ceil(of.queries / (8 * grid.TY))],
    }],
  };
}

/** Rows that must follow the last of q, k and v, finite, for kernels that read whole steps. */
export const spareRows = 192;

/** The same with subgroup matrices; q, k, v in f16 with `spareRows` behind. Undefined where the device or the head size does not allow it: there is a file for 64 and one for 128. */
export function matrixPlan(of: Problem, limits: Limits): Plan | undefined {
  if (!limits.matrices || limits.subgroupSize !== 32 || of.valueDim !== of.dim || of.dim !== 64 && of.dim !== 128) return undefined;
  // Six subgroups of 32 rows.
  return { buffers: outputs(of), passes: [{ shader: `exact/matrix-${of.dim}.wgsl`, constants: switches(of), uniforms: [params(of)], reads: ['q', 'k', 'v', 'bias', 'sink', 'marks'], writes: ['out', 'lse'], grid: [of.heads, Math.ceil(of.queries / 192)] }] };
}

/** The same from T×T scores, kept in the buffer `cells`. */
export function naivePlan(of: Problem): Plan {
  const pass = { shader: 'exact/naive.wgsl', constants: switches(of), uniforms: [params(of)], reads: ['q', 'k', 'v', 'bias', 'sink', 'marks'], writes: ['out', 'lse', 'cells'] } as const;
  const rows = (each: number): readonly [number, number] => [Math.ceil(of.queries * each / 64), of.heads];
  return {
    buffers: { ...outputs(of), cells: of.heads * of.queries * of.keys },
    passes: [{ ...pass, entry: 'scores', grid: rows(of.keys) }, { ...pass, entry: 'softmax', grid: rows(1) }, { ...pass, entry: 'values', grid: rows(padded(of.valueDim) / 4) }],
  };
}

function outputs(of: Problem): { readonly out: number; readonly lse: number } { return { out: of.heads * of.queries * padded(of.valueDim), lse: of.heads * of.queries }; }

export function tooLarge(of: Pick<Problem, 'dim' | 'valueDim'>, limits: Limits): UserError {
  return new UserError(`A head size of ${Math.max(of.dim, of.valueDim)} does not fit the GPU's workgroup memory of ${limits.workgroupBytes.toLocaleString('en')} bytes.`, 'Use the CPU.');
}
