/** How the tokens that stand for one image lie on it, where they are more than a row-by-row grid of patches: views of it, in an order of their own. */
import type { ImageView, TraceImage } from '../../../contract/trace.ts';

/** Sides in pixels. */
export interface Sides { readonly width: number; readonly height: number }

export interface ImageLayout {
  /** What kind of model it is of, and how the numbers came about, a phrase with both sides of the sum. */
  readonly said: string;
  readonly views: readonly Omit<ImageView, 'runs'>[];
  /** Of all tokens with the image's id, in the order of the prompt: `count` cells of a view from `cell` on, or tokens that are no place (`view` undefined). */
  readonly order: readonly Piece[];
  /** Of the vision tower, where all of its positions are patches of this one grid. */
  readonly patches?: TraceImage['patches'];
}
export interface Piece { readonly view?: number; readonly cell: number; readonly count: number }

/** How many tokens of the prompt the image takes. */
export function tokensOf({ order }: ImageLayout): number { return order.reduce((sum, { count }) => sum + count, 0); }

/** The positions of each view's cells, as runs in the order of the grid. `positions`: of all tokens with the image's id; as many as the layout has. */
export function placeViews({ views, order }: ImageLayout, positions: readonly number[]): readonly ImageView[] {
  const cells = views.map(({ rows, columns }) => new Int32Array(rows * columns).fill(-1));
  let at = 0;
  for (const { view, cell, count } of order) for (let n = 0; n < count; n++, at++) if (view !== undefined) cells[view][cell + n] = positions[at];
  return views.map((view, n) => ({ ...view, runs: runsOf(cells[n]) }));
}

/** Half-open runs of positions that follow each other. */
export function runsOf(positions: ArrayLike<number>): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (let n = 0; n < positions.length; n++) { const last = runs[runs.length - 1]; if (last?.[1] === positions[n]) last[1]++; else runs.push([positions[n], positions[n] + 1]); }
  return runs;
}

/** The box of a view that shows all of the image. */
export function wholeBox({ width, height }: Sides): ImageView['box'] { return [0, 0, width, height]; }
