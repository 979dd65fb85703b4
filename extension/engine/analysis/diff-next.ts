/** How the next-token distribution changes, as far as two traces store it. */
import type { NextTokenDiff } from '../../contract/diff.ts';
import type { Manifest } from '../../contract/trace.ts';
import { divergence } from '../maths/divergence.ts';

/** One a sample, where both traces store next tokens. */
export function nextTokenDiff(a: Pick<Manifest, 'next'>, b: Pick<Manifest, 'next'>): NextTokenDiff[] {
  return Array.from({ length: Math.min(a.next.length, b.next.length) }, (_, batch) => {
    const mine = new Map(a.next[batch].map(one => [one.id, one])), theirs = new Map(b.next[batch].map(one => [one.id, one]));
    const tokens = [...new Set([...mine.keys(), ...theirs.keys()])].map(id => ({ id, token: (mine.get(id) ?? theirs.get(id))!.token, a: mine.get(id)?.probability ?? null, b: theirs.get(id)?.probability ?? null }))
      .sort((x, y) => Math.max(y.a ?? 0, y.b ?? 0) - Math.max(x.a ?? 0, x.b ?? 0));
    const shared = tokens.filter(one => one.a !== null && one.b !== null), stored = [mine.size, theirs.size] as const;
    if (!shared.length) return { batch, tokens, stored, klAB: null, klBA: null, js: null, tv: null };
    const logs = (side: 'a' | 'b'): Float64Array => {
      const known = shared.map(one => one[side]!), rest = 1 - known.reduce((sum, p) => sum + p, 0);
      // What is left of 1 by rounding alone is nothing.
      return Float64Array.from([...known, rest > 1e-6 ? rest : 0], Math.log);
    };
    const { klAB, klBA, js, tv } = divergence(logs('a'), logs('b'), shared.length + 1);
    return { batch, tokens, stored, klAB: Number.isFinite(klAB) ? klAB : null, klBA: Number.isFinite(klBA) ? klBA : null, js, tv };
  });
}
