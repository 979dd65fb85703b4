/** Qwen2-VL and its relatives: the image is resized to whole blocks of merged patches, as large as its own size asks for. */
import { UserError } from '../../../contract/errors.ts';
import { roundHalfEven } from '../python-round.ts';
import { wholeBox, type ImageLayout, type Sides } from './layout.ts';

export interface MergedPatches { /** Pixels a side of a patch. */ readonly patch: number; /** Patches a side of a token. */ readonly merge: number; readonly minPixels: number; readonly maxPixels: number }

/** transformers' smart_resize: sides that are multiples of patch · merge, with a number of pixels between the two bounds. Errors: `UserError` for strips longer than 200 times their width. */
export function smartResize({ width, height }: Sides, { patch, merge, minPixels, maxPixels }: MergedPatches): Sides {
  const unit = patch * merge, pixels = width * height, rounded = { width: roundHalfEven(width / unit) * unit, height: roundHalfEven(height / unit) * unit };
  if (Math.max(width, height) / Math.min(width, height) > 200) throw new UserError(`The image of ${width} × ${height} pixels is more than 200 times as long as it is wide.`, 'Crop it.');
  if (rounded.width * rounded.height > maxPixels) { const beta = Math.sqrt(pixels / maxPixels), side = (length: number): number => Math.max(unit, Math.floor(length / beta / unit) * unit); return { width: side(width), height: side(height) }; }
  if (rounded.width * rounded.height < minPixels) { const beta = Math.sqrt(minPixels / pixels), side = (length: number): number => Math.ceil(length * beta / unit) * unit; return { width: side(width), height: side(height) }; }
  return rounded;
}

/** `grid`: rows and columns of patches, before they are merged, as `image_grid_thw` has them. */
export function mergedLayout(image: Sides, { patch, merge }: Pick<MergedPatches, 'patch' | 'merge'>, grid: { readonly rows: number; readonly columns: number }): ImageLayout {
  const rows = Math.floor(grid.rows / merge), columns = Math.floor(grid.columns / merge);
  return {
    said: `${grid.rows} × ${grid.columns} patches of ${patch} pixels, joined ${merge} × ${merge}: ${rows} × ${columns} = ${rows * columns}`,
    views: [{ name: 'image', rows, columns, box: wholeBox(image) }], order: [{ view: 0, cell: 0, count: rows * columns }], patches: { ...grid, merge },
  };
}
