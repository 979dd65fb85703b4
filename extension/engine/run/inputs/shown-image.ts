/** An image that was made into pixel values elsewhere, for models with tiles or merged patches: read to be drawn, with the layout of its tokens. */
import type { TraceRequest } from '../../../contract/api.ts';
import { UserError } from '../../../contract/errors.ts';
import { readImage } from '../../images/decode.ts';
import { chooseLayout } from '../../images/layouts/choose-layout.ts';
import { thumbnailPng } from '../../images/thumbnail.ts';
import { jsonBeside } from '../../folder/beside.ts';
import type { Model } from '../../onnx/model.ts';
import { openInputs } from '../../onnx/picture-input.ts';
import type { RunImage } from './image-input.ts';
import { readGivenTensors } from './tensor-file.ts';

/**
 * Of tensors with an image beside them, where the files beside `model` say that its tokens are no plain grid; undefined otherwise, and then
 * the image is made into pixel values as usual. Errors: `UserError` of the image, and where it and the model's files do not fit.
 */
export function shownImage(model: Model, asked: TraceRequest['prompt']): RunImage | undefined {
  if (asked.kind !== 'tensors' || asked.image === undefined) return undefined;
  const joint = jsonBeside(model.path, 'processor_config.json')?.image_processor, beside = { config: jsonBeside(model.path, 'config.json') ?? {}, processor: jsonBeside(model.path, 'preprocessor_config.json') ?? (typeof joint === 'object' && joint !== null ? joint as Record<string, unknown> : {}) };
  // Asked with any image first: only models of these kinds read the file here.
  if (!chooseLayout(beside, { image: { width: 1_000, height: 1_000 } })) return undefined;
  const { picture, sha256 } = readImage(asked.image), { width, height } = picture, grid = gridOf(asked.file), layout = chooseLayout(beside, { image: picture, ...(grid ? { grid } : {}) })!;
  const input = openInputs(model).find(({ name }) => /pixel|image|img/i.test(name))?.name ?? 'pixel_values';
  return {
    image: { path: asked.image, sha256, width, height, picture: 'input.image.0', input, prepared: `pixel values as given; ${width} × ${height}, ${layout.said} tokens`, fed: [height, width], offset: [0, 0], scale: [1, 1], patches: layout.patches ?? { rows: 0, columns: 0 }, covered: [height, width] },
    png: thumbnailPng(picture), layout,
  };
}

/** The first row of `image_grid_thw` in the file of inputs, whether the graph takes it or not. Errors: `UserError` where it holds several images. */
function gridOf(file: string): readonly number[] | undefined {
  let tensor;
  try { tensor = readGivenTensors(file, ['image_grid_thw']).get('image_grid_thw'); } catch { return undefined; }
  if (!tensor || tensor.shape[tensor.shape.length - 1] !== 3) return undefined;
  if (tensor.values.length !== 3) throw new UserError(`image_grid_thw in ${file} is of ${tensor.values.length / 3} images, and one was given.`, 'Give one image.');
  return Array.from(tensor.values);
}
