/** What a model's folder says about itself in config.json or genai_config.json; and what a file's name says; pure. */

export interface ModelCard {
  /** `LlamaForCausalLM`, else the model type: `llama`. */
  readonly architecture: string;
  readonly type?: string;
}

const longest = 200;

/** Undefined for a config.json of something else: only those that name a model type or an architecture count. */
export function readModelCard(json: string | undefined): ModelCard | undefined {
  let value: unknown;
  try { value = JSON.parse(json ?? ''); } catch { return undefined; }
  if (typeof value !== 'object' || value === null) return undefined;
  const { model_type: kind, architectures, model } = value as Readonly<Record<string, unknown>>;
  // onnxruntime-genai: { "model": { "type": "phi3", … } }
  const type = word(kind) ?? word((model as Readonly<Record<string, unknown>> | null | undefined)?.type);
  const architecture = (Array.isArray(architectures) ? word(architectures[0]) : undefined) ?? type;
  return architecture === undefined ? undefined : { architecture, ...(type === undefined ? {} : { type }) };
}

function word(value: unknown): string | undefined { return typeof value === 'string' && value !== '' ? value.slice(0, longest) : undefined; }
