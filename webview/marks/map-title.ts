/** What a map shows, in words: every reduction that its numbers went through is named. */
import { percent } from './scale.ts';

export interface Shown {
  /** `L3H1`. */
  readonly label: string;
  readonly words: boolean;
  /** Special tokens are left out. */
  readonly hidden: boolean;
  /** The key that stands apart: its token, and the share that it takes; undefined without one. */
  readonly sink?: { readonly token: string; readonly share: number } | undefined;
  readonly renormalised: boolean;
  /** A texel is the largest of so many cells each way. */
  readonly pooled: number;
}

export const wordsPart = 'words: sum over key tokens, mean over query tokens';

/** `L4H7 · 77% on <bos> set apart · rows renormalized without <bos> · words: sum over key tokens, mean over query tokens`. */
export function mapTitle(shown: Shown): string { return [shown.label, ...(shown.sink ? [sinkPart(shown.sink)] : []), ...reductions(shown)].join(' · '); }

export function sinkPart({ token, share }: NonNullable<Shown['sink']>): string { return `${percent(share)} on ${token} set apart`; }

/** All but the key that stands apart. */
export function reductions({ words, hidden, sink, renormalised, pooled }: Shown): string[] {
  const without = [...(sink ? [sink.token] : []), ...(hidden ? ['special tokens'] : [])];
  return [
    ...(hidden ? ['special tokens hidden'] : []),
    ...(renormalised && without.length ? [`rows renormalized without ${without.join(' and ')}`] : []),
    ...(words ? [wordsPart] : []),
    ...(pooled > 1 ? [`largest of ${pooled}×${pooled} cells`] : []),
  ];
}
