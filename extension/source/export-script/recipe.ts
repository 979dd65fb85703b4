/** One kind of model as the writer of scripts sees it, and the words that recipes share. */
import type { Input, ModelFacts } from './facts.ts';

/** The parts of a script that depend on the kind of model; all of them Python, without a newline at their ends. */
export interface ScriptParts {
  /** What to install. */
  readonly packages: readonly string[];
  /** What `--weights` takes, as it stands in the help and behind the command. */
  readonly weights: string;
  /** How the model is built, a line for the top of the script. */
  readonly built: string;
  readonly inputs: readonly Input[];
  /** Defines `make_model(options)`, which returns the model and a dict of its settings. */
  readonly make: string;
  /** Further modules of Python's own that `make` needs. */
  readonly imports: readonly string[];
  /** Named axes of the graph. */
  readonly axes: readonly string[];
}

export interface Recipe {
  readonly id: string;
  /** Exactly one recipe claims a class, or none. */
  claims(facts: ModelFacts): boolean;
  parts(facts: ModelFacts, place: ScriptPlace): ScriptParts;
}

export interface ScriptPlace {
  /** Folders between the script and the top of the workspace; 0: it lies there. */
  readonly climb: number;
  /** The dotted name under which the source is imported, when it lies in an installed package and not beside the script. */
  readonly installedAs?: string;
}

/** A string literal of Python. */
export function quoted(text: string): string { return JSON.stringify(text); }

/** `storyteller`, `vit_for_image_classification`, `llama_for_causal_lm`. */
export function snake(name: string): string {
  return name.replace(/(?<=[a-z\d])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z]{2,}(?:$|[A-Z][a-z]))/g, '_').toLowerCase().replace(/[^a-z\d]+/g, '_').replace(/^_+|_+$/g, '') || 'model';
}

/** The name under which Python imports a file; undefined where it cannot. */
export function moduleName(fileName: string): string | undefined {
  const stem = fileName.replace(/\.py$/, '');
  return /^[A-Za-z_]\w*$/.test(stem) ? stem : undefined;
}

/** The inputs that a Hugging Face model is given, of those that its forward takes. */
export function known(facts: ModelFacts, ...names: readonly string[]): readonly Input[] {
  const kinds: Readonly<Record<string, Input>> = {
    input_ids: { name: 'input_ids', kind: 'ids', axes: ['batch', 'sequence'] },
    attention_mask: { name: 'attention_mask', kind: 'ones', axes: ['batch', 'sequence'] },
    token_type_ids: { name: 'token_type_ids', kind: 'zeros', axes: ['batch', 'sequence'] },
    decoder_input_ids: { name: 'decoder_input_ids', kind: 'ids', axes: ['batch', 'decoder_sequence'] },
    pixel_values: { name: 'pixel_values', kind: 'image', axes: [] },
  };
  return names.filter(name => facts.forward.includes(name)).map(name => kinds[name]);
}

/** Whether a text model of transformers is a decoder. BERT's classes take past_key_values as well, for those who use them as decoders; what tells them is token_type_ids. */
export function isDecoder({ forward, model }: ModelFacts): boolean {
  if (/ForCausalLM$|LMHeadModel$|GPT/.test(model.cls.name)) return true;
  return forward.includes('past_key_values') && !forward.includes('token_type_ids');
}

/** Whether text is all that it reads, and in one stack. */
export function readsText({ pretrained, forward }: ModelFacts): boolean {
  return pretrained && forward.includes('input_ids') && !forward.includes('decoder_input_ids') && !forward.includes('pixel_values');
}
