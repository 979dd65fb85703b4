/** Ids and character spans equal those of Python `tokenizers` (fixtures by test/python/tokenizer_offsets.py). */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { loadTokenizer, tokenizerOf } from '../../../extension/engine/run/tokens/tokenizer.ts';

interface Fixture { readonly tokenizers: string; readonly tokenizer: Record<string, unknown>; readonly cases: readonly { readonly text: string; readonly ids: readonly number[]; readonly spans: readonly (readonly [number, number] | null)[] }[] }
const fixtures = join(import.meta.dirname, 'fixtures');
const names = readdirSync(fixtures).filter(file => file.endsWith('.json'));
const read = (name: string): Fixture => JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as Fixture;

it('has fixtures of every family', () => expect(names).toHaveLength(7));

describe.each(names)('%s', name => {
  const { tokenizer, cases } = read(name), own = tokenizerOf(tokenizer, name);
  it.each(cases.map(one => [JSON.stringify(one.text), one] as const))('%s', (_, { text, ids, spans }) => {
    const encoded = own.encode(text);
    expect(encoded.ids).toEqual(ids);
    expect(encoded.spans).toEqual(spans);
    expect(encoded.tokens).toHaveLength(ids.length);
  });
});

interface Pairs { readonly kinds: Readonly<Record<string, { readonly base: string; readonly post_processor: unknown; readonly cases: readonly { readonly text: string; readonly pair: string; readonly ids: readonly number[]; readonly types: readonly number[]; readonly spans: readonly (readonly [number, number] | null)[]; readonly sequences: readonly (0 | 1 | null)[] }[] }>> }
const pairs = (JSON.parse(readFileSync(join(fixtures, 'pairs/pairs.json'), 'utf8')) as Pairs).kinds;

describe.each(Object.keys(pairs))('two texts, %s (fixtures by test/python/tokenizer_pairs.py)', kind => {
  const { base, post_processor, cases } = pairs[kind], own = tokenizerOf({ ...read(`${base}.json`).tokenizer, post_processor }, kind);
  it.each(cases.map(one => [JSON.stringify([one.text, one.pair]), one] as const))('%s', (_, { text, pair, ids, types, spans, sequences }) => {
    const encoded = own.encode(text, pair);
    expect(encoded.ids).toEqual(ids);
    expect(encoded.types).toEqual(types);
    expect(encoded.spans).toEqual(spans);
    // The template's own tokens belong to the text before them; what stands in front of all belongs to the first.
    expect(encoded.segments.filter((_one, i) => sequences[i] !== null)).toEqual(sequences.filter(one => one !== null));
    expect([...encoded.segments].sort((a, b) => a - b)).toEqual(encoded.segments);
  });
});

it('two texts need a template for two: a sentence', () => {
  const own = tokenizerOf({ ...read('byte-level.json').tokenizer, post_processor: null }, 'a/tokenizer.json');
  expect(() => own.encode('a', 'b')).toThrow('a/tokenizer.json has no template for two texts.');
  expect(own.encode('a').types).toEqual(own.encode('a').ids.map(() => 0));
});
it('knows what starts a text, and what stands for the unknown', () => {
  expect(tokenizerOf(read('wordpiece-cased.json').tokenizer, 'f').special).toEqual({ start: 2, unknown: 1 });
  expect(tokenizerOf(read('llama2-like.json').tokenizer, 'f').special).toEqual({ start: 1, unknown: 0 });
  expect(tokenizerOf(read('byte-level.json').tokenizer, 'f').special).toEqual({ start: 0 });
  expect(tokenizerOf(read('unigram-metaspace.json').tokenizer, 'f').special).toEqual({ unknown: 2 });
});

describe('what a person reads', () => {
  it('decodes bytes, keeps pieces that are no text apart, and names unknown ids', () => {
    const own = tokenizerOf(read('byte-level.json').tokenizer, 'f');
    const { ids, tokens } = own.encode(' Caf\u00e9\n\ud83d\ude00');
    expect(tokens.join('')).toContain('\n');
    expect(tokens.join('').replace(/\\x[0-9a-f]{2}/g, '')).toMatch(/^<s> ?Caf/);
    expect(tokens.filter(token => /^(\\x[0-9a-f]{2})+$/.test(token)).length).toBeGreaterThan(0);
    expect(ids.map(id => own.token(id))).toEqual(tokens);
    expect(own.token(999_999)).toBe('#999999');
  });
  it('shows blanks as blanks', () => expect(tokenizerOf(read('unigram-metaspace.json').tokenizer, 'f').encode('the dog').tokens.join('')).toContain(' dog'));
});

describe('a tokenizer.json from a stranger', () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnscope-tokenizer-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const load = (text: string | Buffer): ReturnType<typeof loadTokenizer> => { writeFileSync(join(folder, 'tokenizer.json'), text); return loadTokenizer(join(folder, 'm.onnx')); };
  const good = read('byte-level.json').tokenizer;
  it.each([
    ['is empty', ''], ['is no JSON', 'hello'], ['is a list', '[]'], ['has no model', '{}'], ['has a vocabulary of words', '{"model": {"vocab": {"a": "b"}}}'], ['has negative ids', '{"model": {"vocab": {"a": -1}}}'],
    ['has added tokens that are none', JSON.stringify({ ...good, added_tokens: [3] })], ['has a normalizer of no kind', JSON.stringify({ ...good, normalizer: { type: 'Nonsense' } })],
    ['has a model of no kind', JSON.stringify({ ...good, model: { type: 'Nonsense', vocab: {} } })], ['has merges that are none', JSON.stringify({ ...good, model: { ...(good['model'] as object), merges: 5 } })],
    ['has an impossible pattern', JSON.stringify({ ...good, pre_tokenizer: { type: 'Split', pattern: { Regex: '(((' }, behavior: 'Isolated', invert: false } })],
    ['asks for an id that is not there', JSON.stringify({ ...good, model: { type: 'BPE', vocab: { a: 0 }, merges: [] }, added_tokens: [], post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: 'x', type_id: 0 } }], pair: [], special_tokens: {} } })],
  ])('%s: a sentence', (_, text) => {
    let error: unknown;
    try { load(text)?.encode('b c'); } catch (thrown) { error = thrown; }
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).sentence).toMatch(/tokenizer\.json.*\.$/s);
  });
  it('nests as deep as it likes: no stack is lost', () => {
    let normalizer: unknown = { type: 'NFC' };
    for (let i = 0; i < 2000; i++) normalizer = { type: 'Sequence', normalizers: [normalizer] };
    expect(() => load(JSON.stringify({ ...good, normalizer }))?.encode('b')).toThrow(UserError);
  });
  it('is missing: nothing is loaded', () => {
    rmSync(join(folder, 'tokenizer.json'));
    expect(loadTokenizer(join(folder, 'm.onnx'))).toBeUndefined();
  });
  it('lies beside the folder of the graphs', () => {
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(good));
    expect(loadTokenizer(join(folder, 'onnx', 'model.onnx'))?.encode('the').ids.length).toBeGreaterThan(1);
  });
});
