/** What a map shows, in words: every reduction that its numbers went through is named. */

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

/** `L4H7 · <bos> apart · rows renormalized without <bos> · words: sum over key tokens, mean over query tokens`. */
export function mapTitle(shown: Shown): string { return [shown.label, ...reductions(shown)].join(' · '); }

export function reductions({ words, hidden, sink, renormalised, pooled }: Shown): string[] {
  const without = [...(sink ? [sink.token] : []), ...(hidden ? ['special tokens'] : [])];
  return [
    ...(sink ? [`${sink.token} apart`] : []),
    ...(hidden ? ['special tokens hidden'] : []),
    ...(renormalised && without.length ? [`rows renormalized without ${without.join(' and ')}`] : []),
    ...(words ? ['words: sum over key tokens, mean over query tokens'] : []),
    ...(pooled > 1 ? [`largest of ${pooled}×${pooled} cells`] : []),
  ];
}
