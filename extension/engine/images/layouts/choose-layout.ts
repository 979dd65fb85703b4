/** Which layout the tokens of a model's image have, by config.json and preprocessor_config.json beside it; both are read without trusting them. */
import { UserError } from '../../../contract/errors.ts';
import { anyresLayout } from './anyres.ts';
import type { ImageLayout, Sides } from './layout.ts';
import { mergedLayout, smartResize } from './merged-patches.ts';
import { splitLayout } from './split-tiles.ts';

type Json = Readonly<Record<string, unknown>>;
/** `processor`: preprocessor_config.json, or the image processor of processor_config.json. */
export interface Beside { readonly config: Json; readonly processor: Json }
/** `grid`: [frames, rows, columns] of patches, where `image_grid_thw` was given. */
export interface Given { readonly image: Sides; readonly grid?: readonly number[] }

/** Undefined for models whose tokens are the patches of one image, row by row. Errors: `UserError` where a number that is needed is missing or absurd. */
export function chooseLayout({ config, processor }: Beside, { image, grid }: Given): ImageLayout | undefined {
  const type = typeof config.model_type === 'string' ? config.model_type : '', vision = objectOf(config.vision_config);
  const number = (name: string, from: readonly (Json | undefined)[], most: number, otherwise?: number): number => {
    const value = from.map(one => one?.[name]).find(one => one !== undefined && one !== null) ?? otherwise;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most) throw new UserError(`The files beside the model say ${value === undefined ? 'nothing of' : `${JSON.stringify(value).slice(0, 100)} for`} ${name}, which says how its image is laid out.`, 'Put the model\'s own config.json and preprocessor_config.json there.');
    return value;
  };
  if (/^qwen\d*(_\d+)?_vl/.test(type) || vision?.spatial_merge_size !== undefined || processor.merge_size !== undefined) {
    const merge = vision?.spatial_merge_size === undefined ? number('merge_size', [processor], 64, 2) : number('spatial_merge_size', [vision], 64), patch = number('patch_size', [processor, vision], 1_024, 14), size = objectOf(processor.size);
    if (grid && (grid[0] !== 1 || !grid.every(side => Number.isInteger(side) && side >= 1 && side <= 65_536))) throw new UserError(`image_grid_thw says ${grid.join(' × ')} patches; one picture has one frame.`, 'Give one image.');
    const pixels = { minPixels: number(size?.shortest_edge === undefined ? 'min_pixels' : 'shortest_edge', [processor, size], 2 ** 31, 3_136), maxPixels: number(size?.longest_edge === undefined ? 'max_pixels' : 'longest_edge', [processor, size], 2 ** 31, 1_003_520) };
    const fed = grid ? { height: grid[1] * patch, width: grid[2] * patch } : smartResize(image, { patch, merge, ...pixels });
    const layout = mergedLayout(image, { patch, merge }, { rows: Math.round(fed.height / patch), columns: Math.round(fed.width / patch) });
    if (vision?.window_size === undefined && vision?.fullatt_block_indexes === undefined) return layout;
    // Qwen2.5-VL sorts its patches by windows, whose order the trace does not have.
    const { patches: _, ...windowed } = layout;
    return windowed;
  }
  const pinpoints = config.image_grid_pinpoints ?? processor.image_grid_pinpoints;
  if (type === 'llava_next' || Array.isArray(pinpoints)) {
    const side = number('image_size', [vision], 16_384), patch = number('patch_size', [vision], side);
    const canvases = Array.isArray(pinpoints) && pinpoints.length <= 1_000 ? pinpoints.filter((one): one is [number, number] => Array.isArray(one) && one.length === 2 && one.every(length => Number.isInteger(length) && length >= side && length <= 16_384 && length % side === 0)) : [];
    if (!canvases.length || side % patch) throw new UserError(`config.json has no image_grid_pinpoints that are multiples of image_size (${side}), or ${patch} pixels a patch do not divide it.`, 'Put the model\'s own config.json there.');
    return anyresLayout(image, { pinpoints: canvases, side, patch, extra: config.vision_feature_select_strategy === 'full' && !/siglip/.test(String(vision?.model_type)) ? 1 : 0 });
  }
  if (/^(idefics3|smolvlm)/.test(type) || (processor.do_image_splitting !== undefined && config.scale_factor !== undefined)) {
    const tile = number('longest_edge', [objectOf(processor.max_image_size)], 16_384, typeof vision?.image_size === 'number' ? vision.image_size : 364), patch = number('patch_size', [vision], tile), factor = number('scale_factor', [config], 64, 2), longest = number('longest_edge', [objectOf(processor.size)], 16_384, 4 * tile);
    const cells = Math.floor(tile / patch) / factor;
    if (!Number.isInteger(cells) || cells < 1) throw new UserError(`Tiles of ${tile} pixels are no whole number of ${factor} × ${factor} patches of ${patch}.`, 'Put the model\'s own config.json and preprocessor_config.json there.');
    return splitLayout(image, { longest, tile, cells, split: processor.do_image_splitting !== false });
  }
  return undefined;
}

function objectOf(value: unknown): Json | undefined { return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Json : undefined; }
