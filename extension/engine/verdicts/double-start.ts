/** The token that starts a text, twice: a template added it to a text that already had it. */
import { headLabel } from '../../contract/site.ts';
import type { VerdictRule } from './verdict.ts';

export const doubleStart: VerdictRule = {
  id: 'double-start', title: 'Double start token', summary: 'Prompts that begin with the start token (BOS, CLS) more than once.',
  judge: ({ manifest }) => {
    const { ids, tokens, real, special } = manifest.input, start = special?.start;
    if (start === undefined) return [];
    const runs = ids.map((row, b) => { const first = Math.max(0, real[b]?.indexOf(1) ?? 0); let n = 0; while (row[first + n] === start && real[b]?.[first + n] === 1) n++; return { b, first, n }; }), [worst] = runs.filter(run => run.n > 1).sort((a, b) => b.n - a.n);
    if (!worst) return [];
    const name = tokens[worst.b]?.[worst.first] ?? `#${start}`, sample = ids.length > 1 ? ` of sample ${worst.b}` : '', site = manifest.sites.find(one => one.kind === 'self' && manifest.heads[one.name]?.length);
    return [{
      rule: 'double-start', level: 'warning',
      text: `The prompt${sample} begins with ${name} ${worst.n === 2 ? 'twice' : `${worst.n} times`}: the tokenizer's template adds it, and the text has it too. Models are trained with one; leave it out of the text.`,
      evidence: { threshold: 1, value: worst.n, heads: site ? [`${headLabel(site, 0)}${ids.length > 1 ? ` [${worst.b}]` : ''}`] : [], token: name, id: start, positions: Array.from({ length: worst.n }, (_, i) => worst.first + i) },
    }];
  },
};
