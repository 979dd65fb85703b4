/** What stands beside a model: config.json, as far as running needs it. */
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { UserError } from '../../contract/errors.ts';

const count = v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 40))));
const fields = { max_position_embeddings: count, n_positions: count, n_ctx: count, max_sequence_length: count, seq_length: count, vocab_size: count, bos_token_id: v.optional(v.unknown()), attn_logit_softcapping: v.optional(v.unknown()) };
const schema = v.looseObject({ ...fields, text_config: v.optional(v.nullable(v.looseObject(fields))) });

export interface ModelConfig { readonly positions?: number; readonly vocabulary?: number; /** Id of the token that starts a text. */ readonly start?: number; /** Of attention scores; > 0. */ readonly softcap?: number }

/** The folders where files of a model lie: its own, and the parent of `onnx/`. */
export function modelFolders(modelFile: string): readonly string[] {
  const folder = dirname(modelFile);
  return basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder];
}

/** The first of these files that exists, at most `maxBytes` long. Errors: `UserError` when it is longer. */
export function findBeside(modelFile: string, name: string, maxBytes: number): string | undefined {
  for (const folder of modelFolders(modelFile)) {
    const file = join(folder, name);
    let bytes: number;
    try { const stats = statSync(file); if (!stats.isFile()) continue; bytes = stats.size; } catch { continue; }
    if (bytes > maxBytes) throw new UserError(`${file} is ${bytes} bytes long; at most ${maxBytes} are read.`, 'Check that it is the file that belongs to the model.');
    return file;
  }
  return undefined;
}

/** Reads a JSON object. Errors: `UserError` when it is none. */
export function readJsonObject(file: string): Record<string, unknown> {
  let value: unknown;
  try { value = JSON.parse(readFileSync(file, 'utf8')); } catch (error) { throw new UserError(`${file} is not valid JSON: ${(error as Error).message}.`, 'Download it again, or take it away.'); }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UserError(`${file} is not a JSON object.`, 'Download it again, or take it away.');
  return value as Record<string, unknown>;
}

/** Empty without a config.json, or where it has none of these numbers. */
export function readConfig(modelFile: string): ModelConfig {
  const file = findBeside(modelFile, 'config.json', 4 * 2 ** 20);
  if (file === undefined) return {};
  const parsed = v.safeParse(schema, readJsonObject(file));
  if (!parsed.success) throw new UserError(`${file} holds a wrong value for ${v.getDotPath(parsed.issues[0]) ?? 'a field'}: ${parsed.issues[0].message}.`, 'Correct it, or take it away.');
  const { text_config: text, ...top } = parsed.output;
  const pick = (of: typeof top | typeof text): number | undefined => of?.max_position_embeddings ?? of?.n_positions ?? of?.n_ctx ?? of?.max_sequence_length ?? of?.seq_length ?? undefined;
  const positions = pick(text) ?? pick(top), vocabulary = text?.vocab_size ?? top.vocab_size ?? undefined;
  const start = text?.bos_token_id ?? top.bos_token_id;
  const softcap = text?.attn_logit_softcapping ?? top.attn_logit_softcapping;
  return { ...(typeof softcap === 'number' && softcap > 0 && softcap < Infinity ? { softcap } : {}), ...(Number.isInteger(start) && (start as number) >= 0 ? { start: start as number } : {}), ...(positions !== undefined ? { positions } : {}), ...(vocabulary !== undefined ? { vocabulary } : {}) };
}
