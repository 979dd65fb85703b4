/** The image that a model takes: which input, from which file, what the pixel values become, and how patches and image tokens lie on it. */
import { basename } from 'node:path';
import { UserError } from '../../../contract/errors.ts';
import type { TraceImage } from '../../../contract/trace.ts';
import { readImage } from '../../images/decode.ts';
import type { ImageLayout } from '../../images/layouts/layout.ts';
import type { Picture } from '../../images/picture.ts';
import { prepareImage } from '../../images/prepare-image.ts';
import { plainProcessor, readProcessor, type Processor } from '../../images/processor.ts';
import { thumbnailPng } from '../../images/thumbnail.ts';
import type { GraphView, Model, ValueInfo } from '../../onnx/model.ts';
import { findBeside, readJsonObject } from '../../folder/beside.ts';
import { patchGrid } from './patch-grid.ts';
import type { GivenTensor } from './tensor-file.ts';

/** What is kept of the images of a run, but for their tokens: the manifest's entries, and the PNGs to store. */
export interface RunImage { readonly image: TraceImage; readonly png: Uint8Array; /** Where its tokens are no plain grid of patches. */ readonly layout?: ImageLayout }

/** The tensor for `input` made of the file, once for each sample that the graph was exported for. Errors: `UserError`. */
export function imageTensor(view: GraphView, input: ValueInfo, file: string): { readonly tensor: GivenTensor; readonly images: readonly RunImage[] } {
  const { picture, sha256 } = readImage(file), { model } = view, processor = processorOf(model, input), made = prepareImage(picture, processor), [batch, , height, width] = input.dims ?? [];
  if ((typeof height === 'number' && height !== made.height) || (typeof width === 'number' && width !== made.width)) {
    throw new UserError(`${processor.name} makes an image of ${made.width} × ${made.height} pixels of ${basename(file)}; the input "${input.name}" takes ${String(width)} × ${String(height)}.`, 'Correct size and crop_size in preprocessor_config.json, or give pixel values with --inputs.');
  }
  const samples = typeof batch === 'number' && batch > 0 ? batch : splitSamples(view, input.name) ?? 1, values = new Float32Array(samples * made.values.length);
  for (let n = 0; n < samples; n++) values.set(made.values, n * made.values.length);
  const image: Omit<TraceImage, 'picture'> = {
    path: file, sha256, width: picture.width, height: picture.height, input: input.name, fed: [made.height, made.width], offset: made.offset, scale: made.scale, ...patchGrid(view, input, made.height, made.width),
    prepared: `${processor.name}: ${picture.width} × ${picture.height} to ${made.width} × ${made.height}`,
  };
  const png = thumbnailPng(picture);
  return { tensor: { shape: [samples, 3, made.height, made.width], values }, images: Array.from({ length: samples }, () => ({ image: { ...image, picture: pictureName(0) }, png })) };
}

/** Of pixel values that were given as they are: a picture of each sample, its values stretched from the smallest to the largest. */
export function imagesOfTensor(view: GraphView, input: ValueInfo, { shape, values }: GivenTensor): readonly RunImage[] {
  const [batch, channels, height, width] = shape;
  if (shape.length !== 4 || channels !== 3 || height * width === 0 || height * width > 4096 ** 2) return [];
  return Array.from({ length: Math.min(batch, mostImages) }, (_, n) => ({
    image: { width, height, picture: pictureName(n), input: input.name, prepared: `pixel values as given, ${width} × ${height}`, fed: [height, width] as const, offset: [0, 0] as const, scale: [1, 1] as const, ...patchGrid(view, input, height, width) },
    png: thumbnailPng(pictureOf(values, n * 3 * height * width, width, height)),
  }));
}

/**
 * How many samples the graph was traced with, where that shows: exporters unroll a loop over images into a Split of the batch axis into ones,
 * although the axis is declared dynamic.
 */
function splitSamples({ graph, constant }: GraphView, input: string): number | undefined {
  const reached = new Set([input]);
  for (const node of graph.nodes) {
    if (!node.inputs.some(name => reached.has(name))) continue;
    const sizes = node.op === 'Split' && (node.attributes.get('axis')?.i ?? 0) === 0 && reached.has(node.inputs[0]) ? node.attributes.get('split')?.ints ?? (node.inputs[1] ? constant(node.inputs[1])?.data : undefined) : undefined;
    if (sizes && sizes.length > 1 && sizes.length <= mostImages && sizes.every(size => size === 1)) return sizes.length;
    for (const output of node.outputs) reached.add(output);
  }
  return undefined;
}

const mostImages = 64;
function pictureName(sample: number): string { return `input.image.${sample}`; }

function pictureOf(values: ArrayLike<number>, base: number, width: number, height: number): Picture {
  const pixels = width * height, rgb = new Uint8Array(3 * pixels);
  let low = Infinity, high = -Infinity;
  for (let n = 0; n < 3 * pixels; n++) { const value = values[base + n]; if (value < low) low = value; if (value > high) high = value; }
  const factor = high > low ? 255 / (high - low) : 0;
  for (let channel = 0; channel < 3; channel++) for (let n = 0; n < pixels; n++) rgb[n * 3 + channel] = Math.round((values[base + channel * pixels + n] - low) * factor);
  return { width, height, rgb };
}

/** preprocessor_config.json, processor_config.json (newer transformers), or what the graph and config.json say of the size. */
function processorOf(model: Model, input: ValueInfo): Processor {
  const most = 4 * 2 ** 20, file = findBeside(model.path, 'preprocessor_config.json', most);
  if (file !== undefined) return readProcessor(readJsonObject(file), file);
  const joint = findBeside(model.path, 'processor_config.json', most), nested = joint === undefined ? undefined : readJsonObject(joint).image_processor;
  if (joint !== undefined && typeof nested === 'object' && nested !== null) return readProcessor(nested, joint);
  const [, , height, width] = input.dims ?? [], side = typeof height === 'number' && typeof width === 'number' ? undefined : imageSizeOf(model.path);
  if (typeof height === 'number' && typeof width === 'number') return plainProcessor(width, height);
  if (side !== undefined) return plainProcessor(side, side);
  throw new UserError(`There is no preprocessor_config.json beside ${model.path}, and neither the graph nor config.json says which size of image it takes.`, 'Put the model\'s preprocessor_config.json there, or give pixel values with --inputs.');
}

/** `image_size` of config.json, of the vision part where it has one. */
function imageSizeOf(path: string): number | undefined {
  const file = findBeside(path, 'config.json', 4 * 2 ** 20), config = file === undefined ? {} : readJsonObject(file), vision = config.vision_config as Record<string, unknown> | undefined;
  const size = vision?.image_size ?? config.image_size;
  return typeof size === 'number' && Number.isInteger(size) && size >= 1 && size <= 8192 ? size : undefined;
}
