/** What `preprocessor_config.json` asks for, read without trusting it: sizes, filter, crop, padding, and the numbers that pixels become. */
import * as v from 'valibot';
import { UserError } from '../../contract/errors.ts';
import { filters, type Filter } from './resize.ts';

/** Pixels after resizing. */
export type Size =
  | { readonly kind: 'exact'; readonly width: number; readonly height: number }
  /** The shorter side; the longer one follows, and is at most `longest`. `detr`: with Python's rounding of that limit. */
  | { readonly kind: 'shortest'; readonly shortest: number; readonly longest?: number }
  | { readonly kind: 'longest'; readonly longest: number }
  | { readonly kind: 'within'; readonly width: number; readonly height: number };

export interface Processor {
  /** As the file names it, or what stands in for it. */
  readonly name: string;
  /** Padded to a square of this color before anything else (original LLaVA). */
  readonly square?: readonly [number, number, number];
  readonly size?: Size;
  readonly filter: Filter;
  readonly crop?: { readonly width: number; readonly height: number };
  /** Multiplies bytes. */
  readonly rescale: number;
  /** Added behind (EfficientNet's −1). */
  readonly offset: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Blue first. */
  readonly bgr: boolean;
}

const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }, standard = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }, imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** transformers' own defaults of what a file may leave out; `square`: a plain number is both sides. */
interface Defaults { readonly mean: readonly number[]; readonly std: readonly number[]; readonly resample: number; readonly size: unknown; readonly crop?: number; readonly square?: boolean; readonly normalize?: boolean; readonly bgr?: boolean }
const clipLike: Defaults = { ...clip, resample: 3, size: { shortest_edge: 224 }, crop: 224 };
const kinds: Readonly<Record<string, Defaults>> = {
  CLIP: clipLike, ChineseCLIP: clipLike, Bit: clipLike, Llava: clipLike,
  ViT: { ...standard, resample: 2, size: 224, square: true }, DeiT: { ...standard, resample: 3, size: 256, crop: 224, square: true }, Beit: { ...standard, resample: 3, size: 224, square: true },
  Siglip: { ...standard, resample: 3, size: { height: 224, width: 224 } }, Blip: { ...clip, resample: 3, size: 384, square: true }, Segformer: { ...imagenet, resample: 2, size: 512, square: true },
  ConvNext: { ...standard, resample: 3, size: { shortest_edge: 384 } }, Levit: { ...imagenet, resample: 3, size: { shortest_edge: 224 }, crop: 224 }, PoolFormer: { ...imagenet, resample: 3, size: { shortest_edge: 224 }, crop: 224 },
  MobileViT: { ...standard, resample: 3, size: { shortest_edge: 224 }, crop: 256, normalize: false, bgr: true }, EfficientNet: { ...standard, resample: 3, size: 346, square: true },
};

const pixels = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16_384)), factor = v.pipe(v.number(), v.finite());
const sizes = v.union([pixels, v.pipe(v.array(pixels), v.minLength(1), v.maxLength(2)), v.looseObject({ height: v.nullish(pixels), width: v.nullish(pixels), shortest_edge: v.nullish(pixels), longest_edge: v.nullish(pixels), max_height: v.nullish(pixels), max_width: v.nullish(pixels) })], 'sides are whole numbers from 1 to 16384');
const three = v.union([factor, v.pipe(v.array(factor), v.minLength(1), v.maxLength(4))], 'a number is expected, or one for each channel'), flag = v.nullish(v.boolean());
const schema = v.looseObject({
  image_processor_type: v.nullish(v.pipe(v.string(), v.maxLength(200))), feature_extractor_type: v.nullish(v.pipe(v.string(), v.maxLength(200))),
  do_resize: flag, do_center_crop: flag, do_rescale: flag, do_normalize: flag, do_pad: flag, rescale_offset: flag, include_top: flag, do_flip_channel_order: flag,
  size: v.nullish(sizes), crop_size: v.nullish(sizes), resample: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5))), rescale_factor: v.nullish(factor), image_mean: v.nullish(three), image_std: v.nullish(three), crop_pct: v.nullish(v.pipe(factor, v.minValue(0.01), v.maxValue(1))),
});
type Raw = v.InferOutput<typeof schema>;

/** Fields of processors that make several images, or rows of patches, out of one, or round sizes their own way. */
const dynamic = ['image_grid_pinpoints', 'merge_size', 'min_pixels', 'max_pixels', 'do_image_splitting', 'max_image_tiles', 'min_dynamic_patch', 'do_pan_and_scan', 'size_divisor'];

/** `raw` is the JSON of `file`. Errors: `UserError` that names the field. */
export function readProcessor(raw: unknown, file: string): Processor {
  const parsed = v.safeParse(schema, raw, { abortEarly: true });
  if (!parsed.success) throw new UserError(`${file} holds a wrong value for ${v.getDotPath(parsed.issues[0]) ?? 'a field'}: ${parsed.issues[0].message.slice(0, 200)}.`, 'Correct it, or give pixel values with --inputs.');
  const from = parsed.output, said = from.image_processor_type ?? from.feature_extractor_type ?? '', name = said === '' ? 'an image processor without a name' : /^\w*(ImageProcessor|FeatureExtractor)\w*$/.test(said) ? said : JSON.stringify(said), kind = said.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '');
  const splits = dynamic.find(field => from[field] !== undefined && from[field] !== null && from[field] !== false);
  if (splits) throw new UserError(`${name} in ${file} goes by ${splits}, which this version does not.`, 'Give its tensors with --inputs, and the image beside them with --image.');
  const known = kinds[kind] ?? (from.size !== undefined || from.do_resize === false ? { ...standard, resample: 2, size: undefined, square: true } : undefined);
  if (!known) throw new UserError(`${file} names ${name}, whose sizes are not in the file and not known.`, 'Write size, image_mean and image_std into it, or give pixel values with --inputs.');
  // A null in the file is false, as it is in Python; only what is missing has a default.
  const on = (flag: boolean | null | undefined, otherwise: boolean): boolean => (flag === undefined ? otherwise : flag === true);
  const mean = list(from.image_mean ?? known.mean), std = list(from.image_std ?? known.std), normalize = on(from.do_normalize, known.normalize ?? true);
  if (std.includes(0)) throw new UserError(`${file} has 0 in image_std.`, 'Correct it.');
  const size = !on(from.do_resize, true) ? undefined : sizeOf(from.size ?? known.size, known.square ?? false, file), special = specialSizes(kind, size, from);
  const crops = on(from.do_center_crop, known.crop !== undefined), crop = special.crop ?? (crops ? cropOf(from.crop_size ?? known.crop ?? from.size, file) : undefined);
  const includeTop = kind === 'EfficientNet' && (from.include_top ?? true);
  return {
    name, ...(special.size ? { size: special.size } : {}), ...(crop ? { crop } : {}), filter: filters[from.resample ?? known.resample],
    ...(kind === 'Llava' && from.do_pad ? { square: list(from.image_mean ?? known.mean).map(value => Math.trunc(value * 255)) as unknown as readonly [number, number, number] } : {}),
    rescale: !on(from.do_rescale, true) ? 1 : from.rescale_factor ?? 1 / 255, offset: from.rescale_offset ? -1 : 0,
    mean: normalize ? mean : [0, 0, 0], std: (normalize ? std : [1, 1, 1]).map((value, n) => value * (includeTop ? std[n] : 1)), bgr: from.do_flip_channel_order ?? known.bgr ?? false,
  };
}

/** Where the graph is all there is: the size that it takes, and what most vision transformers were trained with. */
export function plainProcessor(width: number, height: number): Processor {
  return { name: 'no preprocessor_config.json', size: { kind: 'exact', width, height }, filter: 'bicubic', rescale: 1 / 255, offset: 0, ...standard, bgr: false };
}

function list(value: number | readonly number[]): readonly number[] { return typeof value === 'number' ? [value, value, value] : value.length === 1 ? [value[0], value[0], value[0]] : value; }

function sizeOf(size: unknown, square: boolean, file: string): Size {
  if (typeof size === 'number') return square ? { kind: 'exact', width: size, height: size } : { kind: 'shortest', shortest: size };
  if (Array.isArray(size)) return size.length === 2 ? { kind: 'exact', height: size[0] as number, width: size[1] as number } : sizeOf(size[0], square, file);
  const { height, width, shortest_edge: shortest, longest_edge: longest, max_height: maxHeight, max_width: maxWidth } = (size ?? {}) as Readonly<Record<string, number | null | undefined>>;
  if (shortest) return { kind: 'shortest', shortest, ...(longest ? { longest } : {}) };
  if (height && width) return { kind: 'exact', width, height };
  if (maxHeight && maxWidth) return { kind: 'within', width: maxWidth, height: maxHeight };
  if (longest) return { kind: 'longest', longest };
  throw new UserError(`${file} has a size without height and width, shortest_edge or longest_edge.`, 'Correct it, or give pixel values with --inputs.');
}

function cropOf(size: unknown, file: string): { readonly width: number; readonly height: number } {
  const found = sizeOf(size, true, file);
  if (found.kind === 'exact') return { width: found.width, height: found.height };
  if (found.kind === 'shortest') return { width: found.shortest, height: found.shortest };
  throw new UserError(`${file} has a crop_size without height and width.`, 'Correct it.');
}

/** Three processors resize to more than `size` and crop that out. */
function specialSizes(kind: string, size: Size | undefined, { crop_pct: share }: Raw): { readonly size?: Size; readonly crop?: { readonly width: number; readonly height: number } } {
  if (!size) return {};
  if (kind === 'ConvNext' && size.kind === 'shortest') {
    const side = size.shortest, square = { width: side, height: side };
    return side < 384 ? { size: { kind: 'shortest', shortest: Math.trunc(side / (share ?? 224 / 256)) }, crop: square } : { size: { kind: 'exact', ...square } };
  }
  if (kind === 'Levit' && size.kind === 'shortest') return { size: { kind: 'shortest', shortest: Math.trunc(256 / 224 * size.shortest) } };
  if (kind === 'PoolFormer' && size.kind === 'shortest') return { size: { kind: 'shortest', shortest: Math.trunc(size.shortest / (share === undefined ? 0.9 : share ?? 1)) } };
  return { size };
}
