/** What a person asks, as tokens or as tensors. */
import { dirname } from 'node:path';
import type { TraceRequest } from '../../../contract/api.ts';
import { UserError } from '../../../contract/errors.ts';
import type { TraceInput } from '../../../contract/trace.ts';
import { readChatTemplate } from '../../folder/chat-template.ts';
import type { Model } from '../../onnx/model.ts';
import { openInputs } from '../../onnx/picture-input.ts';
import type { TextTokenizer } from '../tokens/tokenizer.ts';
import { readGivenTensors } from './tensor-file.ts';

export interface Prompt { readonly ids?: readonly number[]; readonly types?: readonly number[]; readonly segments?: readonly number[]; readonly tensors?: ReturnType<typeof readGivenTensors>; readonly samples?: number; readonly tokens?: readonly string[]; readonly spans?: TraceInput['spans'][number]; /** The text, where the chat template made it of a message. */ readonly text?: string }

/** The prompt as tokens, or as tensors. */
export async function readPrompt(request: TraceRequest, model: Model, tokenizer: TextTokenizer | undefined): Promise<Prompt> {
  switch (request.prompt.kind) {
    case 'image': return {};
    case 'audio': throw new UserError(`${model.path} takes no sound.`, 'Choose the folder of a speech model such as Whisper, with its encoder and decoder.');
    case 'ids': return { ids: request.prompt.ids };
    case 'tensors': return { tensors: readGivenTensors(request.prompt.file, openInputs(model).map(input => input.name)) };
    case 'text': {
      if (!tokenizer) throw new UserError(`There is no tokenizer.json beside ${model.path}, so that text cannot be turned into tokens.`, `Put it into ${dirname(model.path)}, or give token ids with --ids.`);
      const { pair, chat } = request.prompt, text = chat ? chatText(model, request.prompt.text) : request.prompt.text, { ids, tokens, spans, types, segments } = tokenizer.encode(text, pair, chat);
      if (!ids.length) throw new UserError('The prompt has no tokens.', 'Give some text.');
      return { ids, tokens, spans, types, ...(chat ? { text } : {}), ...(pair !== undefined ? { segments } : {}) };
    }
  }
}

/** `message` in the model's chat template. Errors: `UserError` where it has none, or where the message does not go through it. */
function chatText(model: Model, message: string): string {
  const template = readChatTemplate(model.path);
  if (!template) throw new UserError(`There is no chat template beside ${model.path} (chat_template.jinja, or chat_template in tokenizer_config.json).`, 'Give the prompt as plain text.');
  return template.render(message);
}
