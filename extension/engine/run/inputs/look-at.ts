/** A prompt for a model that looks at an image: pixel values of the file, image tokens written out, and what the manifest says of both. */
import type { TraceRequest } from '../../../contract/api.ts';
import { UserError } from '../../../contract/errors.ts';
import type { GraphView } from '../../onnx/model.ts';
import { openInputs, pictureInput } from '../../onnx/picture-input.ts';
import { imageTensor, imagesOfTensor, type RunImage } from './image-input.ts';
import { expectedTokens, imageRuns, imageTokenId, withImageTokens } from './image-tokens.ts';
import { idInput } from './input-names.ts';
import type { ModelConfig } from './model-config.ts';
import type { Prompt } from './read-prompt.ts';
import { shownImage } from './shown-image.ts';
import type { TokenSide } from './token-sides.ts';
import type { TextTokenizer } from '../tokens/tokenizer.ts';

interface Around { readonly view: GraphView; readonly config: ModelConfig; readonly tokenizer: TextTokenizer | undefined }

/** The prompt with the image's pixel values among its tensors, and with as many image tokens as the image takes. `how`: by input, what was done, a phrase. */
export function withImage(asked: TraceRequest['prompt'], prompt: Prompt, { view, config, tokenizer }: Around): { readonly prompt: Prompt; readonly images: readonly RunImage[]; readonly how: Readonly<Record<string, string>> } {
  const { model } = view, shown = shownImage(model, asked);
  if (shown) return { prompt, images: [shown], how: {} };
  const input = pictureInput(model), given = input && prompt.tensors?.get(input.name), file = asked.kind === 'audio' ? undefined : asked.image;
  if (file === undefined) {
    if (input && !given && asked.kind !== 'tensors' && asked.kind !== 'audio') throw new UserError(`The model looks at an image (its input "${input.name}"), and none was given.`, 'Give a PNG or JPEG with --image FILE.');
    return { prompt, images: input && given ? imagesOfTensor(view, input, given) : [], how: {} };
  }
  if (!input) throw new UserError(`The model takes no image: its inputs are ${openInputs(model).slice(0, 8).map(one => one.name).join(', ')}.`, 'Leave the image out, or choose a vision model.');
  const { tensor, images } = imageTensor(view, input, file), ids = idInput(model), id = prompt.ids && imageTokenId(view, ids?.name), { patches } = images[0].image;
  const written = prompt.ids && id !== undefined && ids && patches.rows > 0 ? withImageTokens({ ...prompt, ids: prompt.ids }, id, expectedTokens(model.path, patches), tokenizer?.token(id) ?? `#${id}`, tokenizer?.special.start ?? config.start) : { prompt, how: undefined };
  return { prompt: { ...prompt, ...written.prompt, tensors: new Map([...prompt.tensors ?? [], [input.name, tensor]]), samples: tensor.shape[0] }, images, how: { [input.name]: images[0].image.prepared, ...(written.how && ids ? { [ids.name]: written.how } : {}) } };
}

/** Each image with its tokens, where a language model reads them. */
export function withTokens(images: readonly RunImage[], view: GraphView, side: TokenSide | undefined): readonly RunImage[] {
  const id = images.length && side ? imageTokenId(view, side.input) : undefined;
  if (id === undefined || !side) return images;
  return images.map((one, b) => { const tokens = imageRuns(side.ids[b] ?? [], id, one.image, one.layout); return tokens ? { ...one, image: { ...one.image, tokens } } : one; });
}
