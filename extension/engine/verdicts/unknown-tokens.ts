/** Text that the vocabulary has no piece for. */
import { count, few, type VerdictRule } from './verdict.ts';

export const unknownTokens: VerdictRule = {
  id: 'unknown-tokens', title: 'Unknown tokens', summary: 'Prompts with tokens that stand for text the vocabulary lacks.',
  judge: ({ manifest }) => {
    const { ids, tokens, real, special, spans, text, pair, segments } = manifest.input, unknown = special?.unknown;
    if (unknown === undefined) return [];
    const found = ids.flatMap((row, b) => row.flatMap((id, i) => (id === unknown && real[b]?.[i] === 1 ? [{ b, i }] : []))), all = real.flat().filter(one => one === 1).length;
    if (!found.length) return [];
    const pieces = [...new Set(found.flatMap(({ b, i }) => { const span = spans[b]?.[i], from = segments?.[b]?.[i] === 1 ? pair : text; return span && from !== undefined ? [`“${from.slice(...span)}”`] : []; }))];
    return [{
      rule: 'unknown-tokens', level: 'notice',
      text: `${found.length} of ${count(all, 'token')} ${found.length === 1 ? 'is' : 'are'} ${tokens[found[0].b][found[0].i]}${pieces.length ? ` (${few(pieces)})` : ''}: the vocabulary has no piece for this text, and the model cannot tell it apart.`,
      evidence: { threshold: 0, value: found.length, heads: [], positions: found.map(({ i }) => i), samples: found.map(({ b }) => b) },
    }];
  },
};
