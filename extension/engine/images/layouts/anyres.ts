/** LLaVA-NeXT (anyres): the image squashed to one square, and larger in tiles of that square, with a newline token behind each row of patches. */
import { wholeBox, type ImageLayout, type Piece, type Sides } from './layout.ts';

/** `pinpoints`: canvases [height, width] that the tiles may make; `side`, `patch`: of the vision tower, in pixels; `extra`: a CLS token stands in front. */
export interface Anyres { readonly pinpoints: readonly (readonly [height: number, width: number])[]; readonly side: number; readonly patch: number; readonly extra: number }

/** The canvas that keeps most of the image, and wastes least among those (the first one wins). */
export function bestCanvas({ width, height }: Sides, pinpoints: Anyres['pinpoints']): Sides {
  let best: Sides = { width: pinpoints[0][1], height: pinpoints[0][0] }, most = -1, least = Infinity;
  for (const [h, w] of pinpoints) {
    const k = Math.min(w / width, h / height), used = Math.min(Math.trunc(width * k) * Math.trunc(height * k), width * height), waste = w * h - used;
    if (used > most || (used === most && waste < least)) { best = { width: w, height: h }; most = used; least = waste; }
  }
  return best;
}

/** What is left of the patches of the canvas when the padding is cut off (unpad_image): `row`, `column` are the first that stay. */
export function unpadded({ width, height }: Sides, canvas: { readonly rows: number; readonly columns: number }): { readonly rows: number; readonly columns: number; readonly row: number; readonly column: number } {
  const { rows, columns } = canvas, seven = (value: number): number => Math.trunc(Math.round(value * 1e7) / 1e7);
  if (width / height > columns / rows) { const row = Math.floor((rows - seven(height * columns / width)) / 2); return { rows: rows - 2 * row, columns, row, column: 0 }; }
  const column = Math.floor((columns - seven(width * rows / height)) / 2);
  return { rows, columns: columns - 2 * column, row: 0, column };
}

/** Where the image lies on the canvas: its size there, and its corner. */
export function pasted({ width, height }: Sides, canvas: Sides): Sides & { readonly left: number; readonly top: number } {
  const across = canvas.width / width, down = canvas.height / height;
  const size = across < down ? { width: canvas.width, height: Math.min(Math.ceil(height * across), canvas.height) } : { width: Math.min(Math.ceil(width * down), canvas.width), height: canvas.height };
  return { ...size, left: Math.floor((canvas.width - size.width) / 2), top: Math.floor((canvas.height - size.height) / 2) };
}

export function anyresLayout(image: Sides, { pinpoints, side, patch, extra }: Anyres): ImageLayout {
  const canvas = bestCanvas(image, pinpoints), across = side / patch, tiles = { rows: canvas.height / side, columns: canvas.width / side }, fine = unpadded(image, { rows: tiles.rows * across, columns: tiles.columns * across });
  const { width, height, left, top } = pasted(image, canvas), x = (column: number): number => ((fine.column + column) * patch - left) * image.width / width, y = (row: number): number => ((fine.row + row) * patch - top) * image.height / height;
  const rows = Array.from({ length: fine.rows }, (_, row): readonly Piece[] => [{ view: 0, cell: row * fine.columns, count: fine.columns }, { cell: 0, count: 1 }]).flat();
  return {
    said: `${across} × ${across}${extra ? ` + ${extra}` : ''} of the whole image and ${fine.rows} rows of ${fine.columns} + 1 of ${tiles.rows} × ${tiles.columns} tiles: ${extra + across * across + fine.rows * (fine.columns + 1)}`,
    views: [{ name: 'tiles', rows: fine.rows, columns: fine.columns, box: [x(0), y(0), x(fine.columns), y(fine.rows)] }, { name: 'whole', rows: across, columns: across, box: wholeBox(image) }],
    order: [...(extra ? [{ cell: 0, count: extra }] : []), { view: 1, cell: 0, count: across * across }, ...rows],
  };
}
