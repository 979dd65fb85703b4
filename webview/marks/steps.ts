/** The steps of a generation: what was written, instead of what, and which query's row decided it; pure. */
import type { Manifest, NextToken } from '../../extension/contract/trace.ts';
import { tokenAt } from './tokens.ts';

export interface GenerationStep {
  /** Position of the token that was written, and of the query whose row said so: the token before it. */
  readonly position: number;
  readonly query: number;
  readonly token: string;
  readonly id: number;
  /** Undefined where the trace does not say. */
  readonly probability?: number;
  readonly alternatives: readonly NextToken[];
}

/** In order; empty where nothing was generated, or in models of two sequences. */
export function generationSteps({ generated, input }: Pick<Manifest, 'generated' | 'input'>): readonly GenerationStep[] {
  return (generated?.steps ?? []).flatMap(({ probability, alternatives }, n) => {
    const position = generated!.from + n, id = input.ids[0]?.[position];
    return id === undefined || position < 1 ? [] : [{ position, query: position - 1, token: tokenAt(input, 0, position), id, probability, alternatives }];
  });
}

/** What a head's row looks at most. */
export interface HeadLook { readonly site: string; readonly head: number; readonly label: string; readonly key: number; readonly probability: number }

export interface StepLooks {
  /** Keys by how many heads look at them most. */
  readonly keys: readonly { readonly key: number; readonly heads: number }[];
  /** Heads that look most at something else than the key that most heads look at, the surest first. */
  readonly heads: readonly HeadLook[];
}

/** Sums up the rows of all heads at one query. */
export function stepLooks(looks: readonly HeadLook[], most: number): StepLooks {
  const counts = new Map<number, number>();
  for (const { key } of looks) if (key >= 0) counts.set(key, (counts.get(key) ?? 0) + 1);
  const keys = [...counts].map(([key, heads]) => ({ key, heads })).sort((a, b) => b.heads - a.heads || a.key - b.key), common = keys[0]?.key;
  const others = looks.filter(look => look.key >= 0 && look.key !== common).sort((a, b) => b.probability - a.probability);
  return { keys: keys.slice(0, most), heads: others.slice(0, most) };
}
