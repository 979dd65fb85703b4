/** Idefics3 and SmolVLM: the image in square tiles, token by token one tile after the other, and once more as a whole behind them. */
import { wholeBox, type ImageLayout, type Piece, type Sides } from './layout.ts';

/** `longest`: the longer side after the first resize; `tile`: pixels a side; `cells`: tokens a side of a tile; `split`: into tiles at all. */
export interface SplitTiles { readonly longest: number; readonly tile: number; readonly cells: number; readonly split: boolean }

/** The image once its longer side is `longest`, the other one even; then both up to whole tiles, which squashes it. */
export function encoderSize({ width, height }: Sides, { longest, tile }: Pick<SplitTiles, 'longest' | 'tile'>): { readonly resized: Sides; readonly encoder: Sides } {
  const even = (side: number): number => side + side % 2, up = (side: number): number => Math.ceil(side / tile) * tile;
  const resized = width >= height ? { width: longest, height: Math.max(1, even(Math.trunc(longest / (width / height)))) } : { width: Math.max(1, even(Math.trunc(longest * (width / height)))), height: longest }, ratio = resized.width / resized.height;
  const encoder = resized.width >= resized.height ? { width: up(resized.width), height: up(Math.trunc(up(resized.width) / ratio)) } : { width: up(Math.trunc(up(resized.height) * ratio)), height: up(resized.height) };
  return { resized, encoder };
}

export function splitLayout(image: Sides, of: SplitTiles): ImageLayout {
  const { cells, tile } = of, { encoder } = encoderSize(image, of), all = cells * cells, whole = { rows: cells, columns: cells, box: wholeBox(image) };
  if (!of.split || (encoder.width <= tile && encoder.height <= tile)) return { said: `${cells} × ${cells} = ${all} of one tile`, views: [{ ...whole, name: 'image' }], order: [{ view: 0, cell: 0, count: all }] };
  const down = encoder.height / tile, across = encoder.width / tile, columns = across * cells;
  const order = Array.from({ length: down * across * cells }, (_, n): Piece => { const t = Math.floor(n / cells), row = Math.floor(t / across) * cells + n % cells; return { view: 0, cell: row * columns + t % across * cells, count: cells }; });
  return {
    said: `${down} × ${across} tiles and the whole image, ${cells} × ${cells} each: ${(down * across + 1) * all}`,
    views: [{ name: 'tiles', rows: down * cells, columns, box: wholeBox(image) }, { ...whole, name: 'whole' }], order: [...order, { view: 1, cell: 0, count: all }],
  };
}
