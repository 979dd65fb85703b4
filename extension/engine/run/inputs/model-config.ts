/** What stands beside a model: config.json, as far as running needs it. */
import * as v from 'valibot';
import { UserError } from '../../../contract/errors.ts';
import { findBeside, readJsonObject } from '../../folder/beside.ts';
import { issueText } from '../../trace/issue-text.ts';

const count = v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 40))));
const fields = { max_position_embeddings: count, n_positions: count, n_ctx: count, max_sequence_length: count, seq_length: count, vocab_size: count, bos_token_id: v.optional(v.unknown()), attn_logit_softcapping: v.optional(v.unknown()) };
const schema = v.looseObject({ ...fields, text_config: v.optional(v.nullable(v.looseObject(fields))) });

export interface ModelConfig { readonly positions?: number; readonly vocabulary?: number; /** Id of the token that starts a text. */ readonly start?: number; /** Of attention scores; > 0. */ readonly softcap?: number }

/** Empty without a config.json, or where it has none of these numbers. */
export function readConfig(modelFile: string): ModelConfig {
  const file = findBeside(modelFile, 'config.json', 4 * 2 ** 20);
  if (file === undefined) return {};
  const parsed = v.safeParse(schema, readJsonObject(file));
  if (!parsed.success) throw new UserError(`${file} holds a wrong value: ${issueText(parsed.issues)}.`, 'Correct it, or take it away.');
  const { text_config: text, ...top } = parsed.output;
  const pick = (of: typeof top | typeof text): number | undefined => of?.max_position_embeddings ?? of?.n_positions ?? of?.n_ctx ?? of?.max_sequence_length ?? of?.seq_length ?? undefined;
  const positions = pick(text) ?? pick(top), vocabulary = text?.vocab_size ?? top.vocab_size ?? undefined;
  const start = text?.bos_token_id ?? top.bos_token_id;
  const softcap = text?.attn_logit_softcapping ?? top.attn_logit_softcapping;
  return { ...(typeof softcap === 'number' && softcap > 0 && softcap < Infinity ? { softcap } : {}), ...(Number.isInteger(start) && (start as number) >= 0 ? { start: start as number } : {}), ...(positions !== undefined ? { positions } : {}), ...(vocabulary !== undefined ? { vocabulary } : {}) };
}
