/** What a person types as a prompt, read as text or as token ids; pure. */
import type { Prompt } from '../contract/api.ts';
import type { TraceInput } from '../contract/trace.ts';

/** Longest prompt that is taken, in UTF-16 code units; a model's own limit is far below. */
export const longestPrompt = 1_000_000;
const mostIds = 131_072;

/** Between the two texts of a prompt, where a model takes two. */
export const pairSeparator = ' ||| ';

/**
 * Text with a tokenizer, two of them as `A ||| B` where the model takes two; ids such as `1, 2, 3` without one.
 * `problem` is a sentence for the input box when neither can be had.
 */
export function readPrompt(typed: string, hasTokenizer: boolean, takesPair = false): { readonly prompt: Prompt } | { readonly problem: string } {
  if (typed.length > longestPrompt) return { problem: `The prompt is too long: ${typed.length.toLocaleString('en')} characters, and at most ${longestPrompt.toLocaleString('en')} are taken.` };
  const bar = hasTokenizer && takesPair ? typed.indexOf(pairSeparator) : -1;
  if (bar >= 0) return { prompt: { kind: 'text', text: typed.slice(0, bar), pair: typed.slice(bar + pairSeparator.length) } };
  if (hasTokenizer) return typed.length > 0 ? { prompt: { kind: 'text', text: typed } } : { problem: 'Type the text that the model should read.' };
  const parts = typed.trim().split(/[\s,]+/).filter(part => part !== '');
  if (parts.length === 0) return { problem: 'There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.' };
  const wrong = parts.find(part => !/^\d{1,9}$/.test(part));
  if (wrong !== undefined) return { problem: `“${shorten(wrong, 20)}” is no token id. There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.` };
  if (parts.length > mostIds) return { problem: `At most ${mostIds.toLocaleString('en')} token ids are taken; found ${parts.length.toLocaleString('en')}.` };
  return { prompt: { kind: 'ids', ids: parts.map(Number) } };
}

/** What `readPrompt` would have been given. */
export function typedAs(prompt: Prompt): string {
  switch (prompt.kind) {
    case 'text': return prompt.pair === undefined ? prompt.text : `${prompt.text}${pairSeparator}${prompt.pair}`;
    case 'ids': return prompt.ids.join(', ');
    case 'tensors': case 'audio': return prompt.file;
    case 'image': return prompt.image;
  }
}

/** One line, for titles and pick lists. */
export function promptTitle(prompt: Prompt, length = 60): string {
  const image = prompt.kind !== 'image' && prompt.image !== undefined ? ` on ${prompt.image.split(/[\\/]/).pop()}` : '';
  const more = (prompt.kind === 'text' || prompt.kind === 'ids') && prompt.generate ? ` and up to ${prompt.generate} generated tokens` : '';
  return `${titleOf(prompt, length)}${image}${more}`;
}

function titleOf(prompt: Prompt, length: number): string {
  switch (prompt.kind) {
    case 'text': return `“${shorten(typedAs(prompt).replace(/\s+/g, ' ').trim(), length)}”`;
    case 'ids': return `ids ${shorten(prompt.ids.slice(0, length).join(', '), length)}`;
    case 'tensors': return `tensors of ${prompt.file.split(/[\\/]/).pop()}`;
    case 'image': return prompt.image.split(/[\\/]/).pop()!;
    case 'audio': return `sound of ${prompt.file.split(/[\\/]/).pop()}`;
  }
}

/** The prompt that gives this input again; undefined for batches of ids, whose source the trace does not name. */
export function promptOf(input: TraceInput): Prompt | undefined {
  if (input.audio) return input.audio.file === undefined ? undefined : { kind: 'audio', file: input.audio.file };
  const path = input.images?.[0]?.path, image = path === undefined ? {} : { image: path };
  const more = input.given === undefined || input.target ? {} : { generate: Math.max(1, (input.ids[0]?.length ?? 0) - input.given) };
  if (input.message !== undefined) return { kind: 'text', text: input.message, chat: true, ...more, ...image };
  if (input.text !== undefined) return { kind: 'text', text: input.text, ...more, ...(input.pair !== undefined ? { pair: input.pair } : {}), ...image };
  if (input.images && path === undefined) return undefined;
  if (path !== undefined && !input.ids[0]?.length) return { kind: 'image', image: path };
  return input.ids.length === 1 && input.ids[0].length > 0 ? { kind: 'ids', ids: input.ids[0].slice(0, input.target ? undefined : input.given), ...more, ...image } : undefined;
}

/** For prompts from memory and from other extensions. */
export function isPrompt(value: unknown): value is Prompt {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  const { kind, text, pair, file, ids, image, generate, chat } = value as Readonly<Record<string, unknown>>;
  if (image !== undefined && typeof image !== 'string' || generate !== undefined && !Number.isSafeInteger(generate) || chat !== undefined && chat !== true) return false;
  return (kind === 'image' && typeof image === 'string') || (kind === 'text' && typeof text === 'string' && (pair === undefined || typeof pair === 'string')) || ((kind === 'tensors' || kind === 'audio') && typeof file === 'string') || (kind === 'ids' && Array.isArray(ids) && ids.every(id => typeof id === 'number'));
}

export function shorten(text: string, length: number): string {
  const letters = [...text.slice(0, 2 * length + 2)];
  return letters.length <= length && text.length <= 2 * length + 2 ? text : `${letters.slice(0, length - 1).join('')}…`;
}
