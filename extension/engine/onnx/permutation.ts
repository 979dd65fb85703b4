/** The order in which a Transpose puts axes. */
import type { Node } from './model.ts';

/** `perm`, or the axes reversed; undefined where it is no permutation of `rank` axes, as in a broken file. */
export function permutationOf(node: Node, rank: number): readonly number[] | undefined {
  const perm = node.attributes.get('perm')?.ints ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return perm.length === rank && new Set(perm).size === rank && perm.every(axis => axis >= 0 && axis < rank) ? perm : undefined;
}
