/** The tokens that a model is fed, as the trace tells of them: ids, and which of them are real. */
import { numbersOfFeed, type Feed } from './feeds.ts';

/** One side of token inputs; encoder-decoder models have two. `ids` and `real` per sample. */
export interface TokenSide { readonly name: 'text' | 'decoder'; readonly input: string; readonly ids: readonly (readonly number[])[]; readonly real: readonly (readonly number[])[] }

/** What tells the real tokens from padding: a mask [batch, past + tokens], or the length of each sample less one beside the length of all. */
export interface RealTokens { readonly mask: Feed | undefined; readonly lengths: Feed | undefined; readonly total: Feed | undefined }

/** `ids` [batch, tokens]: the last columns of the mask belong to them. */
export function tokensOf(ids: Feed, { mask, lengths, total }: RealTokens): Pick<TokenSide, 'ids' | 'real'> {
  const [batch, length] = ids.dims, numbers = numbersOfFeed(ids);
  const marks = mask && mask.dims.length === 2 && mask.dims[0] === batch && mask.dims[1] >= length ? numbersOfFeed(mask) : undefined, width = mask?.dims[1] ?? 0;
  const ends = mask ? undefined : endsOf(lengths, total, batch, length);
  return {
    ids: Array.from({ length: batch }, (_, b) => numbers.slice(b * length, (b + 1) * length)),
    real: Array.from({ length: batch }, (_, b) => Array.from({ length }, (_, i) => (marks ? Number(marks[b * width + width - length + i] !== 0) : ends ? Number(i <= ends[b]) : 1))),
  };
}

/** Of models that take the length of each sample (less one) in place of a mask: what lies behind it in a prompt is padding. */
function endsOf(lengths: Feed | undefined, total: Feed | undefined, batch: number, length: number): number[] | undefined {
  const last = lengths && numbersOfFeed(lengths);
  return last?.length === batch && total && numbersOfFeed(total)[0] === length ? last : undefined;
}
