/** Text to token ids through `@huggingface/tokenizers`, and, by our own alignment, which characters each token stands for. */
import { Tokenizer } from '@huggingface/tokenizers';
import * as v from 'valibot';
import { UserError } from '../../../contract/errors.ts';
import { issueText } from '../../trace/issue-text.ts';
import { aligned, spanOf, textOf, type Aligned, type Span } from './aligned-text.ts';
import { findBeside, readJsonObject } from '../../folder/beside.ts';
import { splitAdded, type AddedToken } from './added-tokens.ts';
import { normalise, type Json } from './normalise.ts';
import { alignPieces } from './pieces.ts';

export interface Encoded {
  readonly ids: readonly number[];
  /** As a person reads them. */
  readonly tokens: readonly string[];
  /** [start, end) in UTF-16 code units of the token's own text; null for tokens that the template adds. */
  readonly spans: readonly (Span | null)[];
  /** The template's token type of each token: 0, 1, …. */
  readonly types: readonly number[];
  /** Which text each token belongs to; the template's own belong to the text before them. */
  readonly segments: readonly (0 | 1)[];
}
export interface TextTokenizer {
  /** One text, or two as the template joins them; `bare` without what the template adds, for texts that hold their special tokens. Errors: `UserError` for text that is too long or cannot be encoded, and for two texts where there is no template for them. */
  encode(text: string, pair?: string, bare?: boolean): Encoded;
  /** Ids of the token that the template puts in front of every text, and of the one that stands for what the vocabulary lacks. */
  readonly special: { readonly start?: number; readonly unknown?: number };
  /** A token as a person reads it; `#id` where there is none. */
  token(id: number): string;
}

const mostBytes = 64 * 2 ** 20;
const mostText = 4 * 2 ** 20;

const schema = v.looseObject({
  model: v.looseObject({ vocab: v.union([v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31))), v.array(v.tuple([v.string(), v.number()]))]) }),
  added_tokens: v.optional(v.nullable(v.array(v.looseObject({ id: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31)), content: v.string() })))),
  normalizer: v.optional(v.nullable(v.looseObject({ type: v.string() }))), pre_tokenizer: v.optional(v.nullable(v.looseObject({ type: v.string() }))),
  post_processor: v.optional(v.nullable(v.looseObject({ type: v.string() }))), decoder: v.optional(v.nullable(v.looseObject({ type: v.string() }))),
});

/** The tokenizer.json beside the model, undefined without one. Errors: `UserError` when it is too large, broken, or of an unknown kind. */
export function loadTokenizer(modelFile: string): TextTokenizer | undefined {
  const file = findBeside(modelFile, 'tokenizer.json', mostBytes);
  return file === undefined ? undefined : tokenizerOf(readJsonObject(file), file);
}

/** For tests: a tokenizer from its JSON. `file` names it in sentences. */
export function tokenizerOf(json: Record<string, unknown>, file: string): TextTokenizer {
  const parsed = v.safeParse(schema, json);
  if (!parsed.success) throw new UserError(`${file} is no tokenizer: ${issueText(parsed.issues)}.`, 'Download it again, or give token ids with --ids.');
  const config: Json = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...json, added_tokens: parsed.output.added_tokens ?? [] };
  let library: Tokenizer;
  try { library = new Tokenizer(config, {}); } catch (error) { throw new UserError(`${file} cannot be used: ${libraryWords(error)}.`, 'Download it again, or give token ids with --ids.'); }
  return new AlignedTokenizer(library, config, file);
}

class AlignedTokenizer implements TextTokenizer {
  readonly #library: Tokenizer;
  readonly #config: Json;
  readonly #file: string;
  readonly #added: readonly AddedToken[];
  readonly #byteLevel: boolean;
  constructor(library: Tokenizer, config: Json, file: string) {
    this.#library = library;
    this.#config = config;
    this.#file = file;
    this.#added = (config['added_tokens'] as readonly Json[]).map(token => ({ content: String(token['content']), lstrip: token['lstrip'] === true, rstrip: token['rstrip'] === true, singleWord: token['single_word'] === true, normalized: token['normalized'] === true || (token['normalized'] === undefined && token['special'] !== true) }));
    this.#byteLevel = has(config['pre_tokenizer'], 'ByteLevel') || has(config['decoder'], 'ByteLevel');
  }

  encode(text: string, pair?: string, bare = false): Encoded {
    const length = text.length + (pair?.length ?? 0);
    if (length > mostText) throw new UserError(`The prompt has ${length} characters; at most ${mostText} are read.`, 'Use a shorter prompt.');
    try { return this.#encode(text, pair, bare); } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`${this.#file} cannot encode this prompt: ${libraryWords(error)}.`, 'Download it again, or give token ids with --ids.');
    }
  }

  token(id: number): string {
    const token = this.#library.id_to_token(id);
    return token === undefined ? `#${id}` : this.#readable(token);
  }

  get special(): TextTokenizer['special'] {
    const [first] = this.#template(false), { model } = this.#library as unknown as { model: ModelCall };
    const start = first?.token === undefined ? undefined : this.#library.token_to_id(first.token), unknown = model.unk_token_id;
    return { ...(start !== undefined ? { start } : {}), ...(typeof unknown === 'number' && unknown >= 0 ? { unknown } : {}) };
  }

  #encode(text: string, pair: string | undefined, bare: boolean): Encoded {
    const texts = (pair === undefined ? [text] : [text, pair]).map(one => {
      const found = this.#pieces(one), spans = trimmed(found, one, this.#config['post_processor'] as Json | null);
      return found.map(({ token }, i) => ({ token, span: spans[i] }));
    });
    let segment: 0 | 1 = 0;
    const slots: readonly Slot[] = bare ? [{ text: 0, type: 0 }] : this.#template(pair !== undefined), all = slots.flatMap(slot => {
      if (slot.text === undefined) return [{ token: slot.token, span: null, type: slot.type, segment }];
      segment = slot.text;
      return texts[slot.text].map(one => ({ ...one, type: slot.type, segment }));
    });
    return { ids: all.map(({ token }) => this.#id(token)), tokens: all.map(({ token }) => this.#readable(token)), spans: all.map(({ span }) => span), types: all.map(({ type }) => type), segments: all.map(one => one.segment) };
  }

  /** What the post-processor makes of one text or two: it shows when it is given tokens that nobody else uses. Errors: `UserError` when it has no place for a second text. */
  #template(two: boolean): readonly Slot[] {
    const processor = this.#library.post_processor as unknown as ((tokens: string[], pair: string[] | null, special: boolean) => { tokens: string[]; token_type_ids?: number[] }) | null;
    const { tokens, token_type_ids: types } = processor ? processor([markers[0]], two ? [markers[1]] : null, true) : { tokens: [markers[0]], token_type_ids: undefined };
    this.#strings(tokens);
    if (two && !tokens.includes(markers[1])) throw new UserError(`${this.#file} has no template for two texts.`, 'Give one text, or token ids with --ids.');
    // The library gives RoBERTa's second text type 1; the Rust one, and the models, know 0 only.
    const flat = has(this.#config['post_processor'], 'RobertaProcessing') || types?.length !== tokens.length;
    return tokens.map((token, i) => { const text = markers.indexOf(token); return text < 0 ? { token, type: flat ? 0 : types![i] } : { text: text as 0 | 1, type: flat ? 0 : types![i] }; });
  }

  /** Tokens of one text, without the template. */
  #pieces(text: string): Placed[] {
    const plain: Placed[] = [];
    for (const section of splitAdded(aligned(text), this.#added.filter(token => !token.normalized))) {
      if (section.token !== undefined) { plain.push(section); continue; }
      const normal = normalise(section.text, this.#config['normalizer'] as Json | null, before => this.#library.normalizer!(before));
      const inNormal = this.#added.filter(token => token.normalized).map(token => ({ ...token, match: textOf(normalise(aligned(token.content), this.#config['normalizer'] as Json | null, before => this.#library.normalizer!(before))) }));
      for (const piece of splitAdded(normal, inNormal)) {
        if (piece.token !== undefined) plain.push(piece);
        else plain.push(...this.#words(piece.text));
      }
    }
    return plain;
  }

  /** Tokens of text that holds no added token. */
  #words(text: Aligned): Placed[] {
    if (!text.chars.length) return [];
    const { pre_tokenizer: splitter, model } = this.#library as unknown as { pre_tokenizer: ((text: string, options: object) => string[]) | null; model: ModelCall };
    const words = splitter ? splitter(textOf(text), { section_index: text.spans[0][0] === 0 ? 0 : 1 }) : [textOf(text)];
    const found: Placed[] = [];
    let at = 0;
    for (const word of words) {
      const units = this.#unitsOf(word, text, at);
      at = units.end;
      const tokens = this.#strings(model([word]));
      const pieces = alignPieces(tokens, units.units, { unknown: model.unk_token ?? undefined, prefix: model.config?.continuing_subword_prefix ?? undefined, suffix: model.end_of_word_suffix ?? undefined });
      tokens.forEach((token, i) => found.push({ token, span: units.spans && pieces[i] ? spanOf({ chars: units.units, spans: units.spans }, pieces[i][0], pieces[i][1]) ?? null : null }));
    }
    return found;
  }

  /** The characters (or bytes) that a word is made of, each with the span of the character of `text` that it comes from. */
  #unitsOf(word: string, text: Aligned, from: number): { readonly units: readonly string[]; readonly spans: readonly Span[] | undefined; readonly end: number } {
    const units = [...word], letters = this.#byteLevel ? [...bytesToText(units)] : units;
    const place = locate(letters, text.chars, from);
    if (!place) return { units, spans: undefined, end: from };
    const spanAt = (i: number): Span => text.spans[Math.min(place.start + Math.max(i - place.inserted, 0), text.spans.length - 1)];
    const spans: Span[] = [];
    letters.forEach((letter, i) => { const span = spanAt(i); for (let n = this.#byteLevel ? Buffer.byteLength(letter) : 1; n > 0; n--) spans.push(span); });
    return { units, spans, end: place.start + letters.length - place.inserted };
  }

  /** What the library makes of a broken file may be no tokens. */
  #strings(tokens: string[]): string[] {
    if (tokens.every(token => typeof token === 'string')) return tokens;
    throw new UserError(`${this.#file} names a token that has no text.`, 'Download it again, or give token ids with --ids.');
  }

  #id(token: string): number {
    const { model } = this.#library as unknown as { model: ModelCall };
    const id = this.#library.token_to_id(token) ?? model.unk_token_id;
    if (id === undefined || id === null || !Number.isSafeInteger(id) || id < 0) throw new UserError(`${this.#file} has no id for "${token}".`, 'Check that it belongs to the model.');
    return id;
  }

  #readable(token: string): string {
    if (this.#added.some(added => added.content === token)) return token;
    if (!this.#byteLevel) return token.replaceAll('\u2581', ' ');
    const bytes = Uint8Array.from([...token], letter => byteOf.get(letter) ?? 63);
    try { return strict.decode(bytes); } catch { return Array.from(bytes, byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`)).join(''); }
  }
}

/** What the library says of a broken file, as a quotation: its words are not ours. */
function libraryWords(error: unknown): string { return `the tokenizers library stops with ${JSON.stringify((error as Error).message.slice(0, 200))}`; }

/** A place in a template: of a token of its own, or of the first or the second text; `type` is the token type there. */
type Slot = { readonly type: number } & ({ readonly token: string; readonly text?: undefined } | { readonly text: 0 | 1; readonly token?: undefined });

/** A token where it was found; `surface` when it looks otherwise there. */
interface Placed { readonly token: string; readonly span: Span | null; readonly surface?: string }

interface ModelCall {
  (words: string[]): string[];
  readonly unk_token?: string | null; readonly unk_token_id?: number | null; readonly end_of_word_suffix?: string | null;
  readonly config?: { readonly continuing_subword_prefix?: string | null };
}

const markers: readonly string[] = ['\ue000attnscope\ue000', '\ue000attnscope 2\ue000'];
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Where `word` continues in `text`: after skipped characters, perhaps with one letter in front that the splitter added; blanks may be written as ▁. */
function locate(word: readonly string[], text: readonly string[], from: number): { readonly start: number; readonly inserted: 0 | 1 } | undefined {
  const equal = (a: string, b: string): boolean => a === b || (a === '\u2581' && b === ' ');
  const matches = (start: number, skip: number): boolean => {
    if (start + word.length - skip > text.length) return false;
    for (let i = skip; i < word.length; i++) if (!equal(word[i], text[start + i - skip])) return false;
    return true;
  };
  const blank = word[0] === ' ' || word[0] === '\u2581';
  for (let start = from; start < text.length && start - from < 4096; start++) {
    if (matches(start, 0)) return { start, inserted: 0 };
    if (blank && matches(start, 1)) return { start, inserted: 1 };
  }
  return undefined;
}

/** The offsets of byte-level post-processors that leave blanks out; as in Rust they count characters of the token as it was found. */
function trimmed(tokens: readonly Placed[], text: string, config: Json | null): readonly (Span | null)[] {
  const trims = find(config, one => (one['type'] === 'ByteLevel' || one['type'] === 'RobertaProcessing') && one['trim_offsets'] !== false);
  return tokens.map(({ token, surface, span }, i) => {
    if (!trims || !span) return span;
    const found = surface ?? token, before = /^[Ġ\s]*/u.exec(found)![0].length, after = /[Ġ\s]*$/u.exec(found)![0].length;
    const length = [...text.slice(...span)].length, keep = trims['add_prefix_space'] !== false && (i === 0 || span[0] === 0);
    const from = keep ? 0 : Math.min(before, length), to = Math.max(length - after, from), letters = [...text.slice(...span)];
    const units = (count: number): number => letters.slice(0, count).join('').length;
    return [span[0] + units(from), span[0] + units(to)];
  });
}

function has(config: unknown, type: string): boolean { return find(config as Json | null, one => one['type'] === type) !== undefined; }

/** The first part of a (nested) configuration that fits. */
function find(config: Json | null | undefined, fits: (one: Json) => boolean, depth = 0): Json | undefined {
  if (!config || typeof config !== 'object' || depth > 16) return undefined;
  if (fits(config)) return config;
  for (const list of ['pretokenizers', 'processors', 'decoders']) {
    for (const one of Array.isArray(config[list]) ? config[list] as Json[] : []) { const found = find(one, fits, depth + 1); if (found) return found; }
  }
  return undefined;
}

/** GPT-2's alphabet: a printable letter for every byte. */
const byteOf: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let extra = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    map.set(String.fromCharCode(printable ? byte : extra++), byte);
  }
  return map;
})();

function bytesToText(letters: readonly string[]): string { return Buffer.from(letters.map(letter => byteOf.get(letter) ?? 63)).toString('utf8'); }

