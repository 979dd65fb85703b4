/** What the manifest says a model was given: text, ids, tokens and their spans. */
import type { TraceRequest } from '../../contract/api.ts';
import type { TokenSequence, TraceInput } from '../../contract/trace.ts';
import { givenTokens } from './generate/decode.ts';
import type { Inputs } from './inputs/inputs.ts';
import type { ModelConfig } from './inputs/model-config.ts';
import type { Prompt } from './inputs/read-prompt.ts';
import type { TokenSide } from './inputs/token-sides.ts';
import type { TextTokenizer } from './tokens/tokenizer.ts';

export function traceInput(request: TraceRequest, prompt: Prompt, inputs: Inputs, { tokenizer, config, tokens }: { readonly tokenizer: TextTokenizer | undefined; readonly config: ModelConfig; readonly tokens: { readonly batch: number; readonly length: number } }): TraceInput {
  const source = inputs.sides.find(side => side.name === 'text'), decoder = inputs.sides.find(side => side.name === 'decoder'), side = source ?? decoder;
  const { text: typed, pair, chat } = request.prompt.kind === 'text' ? request.prompt : {}, text = prompt.text ?? typed, special = specialTokens(tokenizer, config);
  const none = Array.from({ length: tokens.batch }, () => []), own = side ? tokenSequence(side, tokenizer, prompt, text) : { ids: none, tokens: none, spans: [], real: none };
  return {
    ...own, ...(pair !== undefined ? { pair } : {}), ...(chat && typed !== undefined ? { message: typed } : {}), ...(source && decoder ? { target: tokenSequence(decoder, tokenizer), given: givenTokens(inputs, decoder.ids[0].length) } : {}),
    ...(prompt.segments ? { segments: own.ids.map(() => prompt.segments!) } : {}), ...(Object.keys(special).length ? { special } : {}),
  };
}

/** The tokens of one side; spelled and placed in `text` where the tokenizer made them of it. */
export function tokenSequence({ ids, real }: Pick<TokenSide, 'ids' | 'real'>, tokenizer: TextTokenizer | undefined, prompt: Pick<Prompt, 'tokens' | 'spans'> = {}, text?: string): TokenSequence {
  const tokens = ids.map(row => (prompt.tokens && prompt.tokens.length === row.length ? prompt.tokens : row.map(id => tokenizer?.token(id) ?? `#${id}`)));
  return { ...(text === undefined ? {} : { text }), ids, tokens, spans: prompt.spans ? ids.map(() => prompt.spans!) : [], real };
}

/** What starts a text: what the template puts there; where it puts nothing, what config.json names. */
export function specialTokens(tokenizer: TextTokenizer | undefined, config: ModelConfig): NonNullable<TraceInput['special']> {
  const own = tokenizer?.special ?? {}, start = own.start ?? config.start;
  return { ...own, ...(start !== undefined ? { start } : {}) };
}
