/** The chat template of an instruct model's folder: a message becomes the text that the model was trained to answer. */
import { Template } from '@huggingface/jinja';
import { UserError } from '../../contract/errors.ts';
import { jsonBeside, textBeside } from './beside.ts';

export interface ChatTemplate {
  /** `message` as the user's, with what makes the model answer it. Errors: `UserError` with the template's own reason. */
  render(message: string): string;
}

const longest = 2 ** 20, longestText = 4 * 2 ** 20;

/** From chat_template.jinja, chat_template.json or tokenizer_config.json; undefined without one. Errors: `UserError` where it is damaged. */
export function readChatTemplate(modelFile: string): ChatTemplate | undefined {
  const config = jsonBeside(modelFile, 'tokenizer_config.json');
  const text = textBeside(modelFile, 'chat_template.jinja') ?? templateOf(jsonBeside(modelFile, 'chat_template.json')?.chat_template) ?? templateOf(config?.chat_template);
  if (text === undefined) return undefined;
  const refusal = (why: unknown): UserError => new UserError(`The chat template beside ${modelFile} cannot be used: ${(why instanceof Error ? why.message : String(why)).split('\n')[0].slice(0, 200)}.`, 'Give the prompt as plain text.');
  if (text.length > longest) throw refusal(`it is ${text.length} characters long; at most ${longest} are read`);
  let template: Template;
  try { template = new Template(text); } catch (error) { throw refusal(error); }
  const tokens = Object.fromEntries(['bos_token', 'eos_token', 'unk_token', 'pad_token'].flatMap(name => { const token = tokenOf(config?.[name]); return token === undefined ? [] : [[name, token]]; }));
  return {
    render: message => {
      let rendered: string;
      try { rendered = template.render({ ...tokens, messages: [{ role: 'user', content: message }], add_generation_prompt: true, tools: null, documents: null }); } catch (error) { throw refusal(error); }
      if (rendered.length > longestText) throw refusal(`it makes a text of ${rendered.length} characters`);
      return rendered;
    },
  };
}

/** One template, or the one called `default` of several. */
function templateOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value.filter((one): one is { readonly name: string; readonly template: string } => typeof one?.name === 'string' && typeof one?.template === 'string');
  return (named.find(one => one.name === 'default') ?? named[0])?.template;
}

/** A special token, as text or as an added token. */
function tokenOf(value: unknown): string | undefined {
  const content = typeof value === 'object' && value !== null ? (value as { readonly content?: unknown }).content : value;
  return typeof content === 'string' ? content : undefined;
}
