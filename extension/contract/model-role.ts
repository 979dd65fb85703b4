/** What a weight file's name says: the part it plays in its folder, and the variant of it, as exporters and converters name them. */

/**
 * `model`: all in one graph. `decoder-merged`: one graph for the first run and for those with a cache (an `If` between them);
 * `decoder-with-past` is only the latter. `embed`: token ids to embeddings. `other`: a name that nobody defines.
 */
export type ModelRole = 'model' | 'decoder' | 'decoder-merged' | 'decoder-with-past' | 'encoder' | 'vision' | 'audio' | 'text' | 'embed' | 'other';

export interface NamedRole {
  readonly role: ModelRole;
  /** `` (as exported), `fp16`, `q4`, `int8`, …; also free ones, as `cached` of `model_cached.onnx`. */
  readonly variant: string;
}

/** Longer names first: `decoder_model_merged` also begins like `decoder_model`. */
const names: readonly (readonly [RegExp, ModelRole])[] = [
  [/^decoder_(model_)?merged/, 'decoder-merged'], [/^decoder_with_past(_model)?/, 'decoder-with-past'], [/^(decoder(_model)?|language_model|llm)(?=_|$)/, 'decoder'],
  [/^(vision_encoder|vision_model|vision_tower|image_encoder|vision)(?=_|$)/, 'vision'], [/^(audio_encoder|audio_model|speech_encoder|speech)(?=_|$)/, 'audio'],
  [/^(embed_tokens|embeddings?|text_embeddings?)(?=_|$)/, 'embed'], [/^(encoder(_model)?)(?=_|$)/, 'encoder'], [/^(text_model|text_encoder)(?=_|$)/, 'text'], [/^model(?=[_.]|$)/, 'model'],
];
/** Spellings of one thing. */
const spelled: Readonly<Record<string, string>> = { quantized: 'int8', float16: 'fp16', float32: 'fp32' };
/** What is nearest to the model as it was trained stands first; then by name. */
const order = ['', 'fp32', 'fp16', 'bf16', 'int8', 'uint8', 'q8', 'q4f16', 'q4', 'bnb4'];

/** `file`: a name or a path with either separator. */
export function roleOf(file: string): NamedRole {
  const stem = file.replace(/^.*[\\/]/, '').replace(/\.onnx$/i, '');
  for (const [pattern, role] of names) {
    const match = pattern.exec(stem);
    if (!match) continue;
    const variant = stem.slice(match[0].length).replace(/^[_.]/, '');
    return { role, variant: spelled[variant] ?? variant };
  }
  return { role: 'other', variant: stem };
}

/** Sorts variants of one part: the default comes first. */
export function byVariant(a: NamedRole, b: NamedRole): number {
  const rank = ({ variant }: NamedRole): number => { const at = order.indexOf(variant); return at < 0 ? order.length : at; };
  return rank(a) - rank(b) || (a.variant < b.variant ? -1 : a.variant > b.variant ? 1 : 0);
}

/** The number type that a variant names; undefined where it names none. */
export function typeOfVariant({ role, variant }: NamedRole): string | undefined {
  return role === 'other' && !variant.includes('_') ? undefined : /(?:^|_)(fp32|fp16|bf16|int8|uint8|q8|q4f16|q4|q2f16|q2|q1f16|q1|bnb4)$/.exec(variant)?.[1];
}

/** External data of `onnx` among `names`, as exporters name it: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`, `model.data`. */
export function dataNames(onnx: string, names: readonly string[]): string[] {
  const stem = onnx.replace(/\.onnx$/, '');
  return names.filter(name => name === `${stem}.data` || name === `${stem}_data` || (name.startsWith(onnx) && /^[._]data(_\d+)?$/.test(name.slice(onnx.length))));
}
