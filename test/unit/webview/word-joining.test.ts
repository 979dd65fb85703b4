/** Tokens joined to words, whatever the tokenizer: byte-level BPE, WordPiece, SentencePiece; accents, CJK, emoji; with the text and without. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TraceInput } from '../../../extension/contract/trace.ts';
import { tokenizerOf } from '../../../extension/engine/run/tokens/tokenizer.ts';
import { findText, nextMatch } from '../../../webview/marks/find-text.ts';
import { hasWords, wordText, wordsOf } from '../../../webview/marks/words.ts';

const families = ['byte-level', 'byte-level-trimmed', 'llama3-like', 'wordpiece-cased', 'wordpiece-uncased', 'llama2-like', 'unigram-metaspace'];
const tokenizer = (name: string) => tokenizerOf((JSON.parse(readFileSync(join(import.meta.dirname, '../run/fixtures', `${name}.json`), 'utf8')) as { tokenizer: Record<string, unknown> }).tokenizer, name);
function inputOf(family: string, text: string): TraceInput {
  const { ids, tokens, spans } = tokenizer(family).encode(text);
  return { text, ids: [ids], tokens: [tokens], spans: [spans], real: [ids.map(() => 1)] };
}
/** As given by ids alone: no text, no spans. */
const bare = (input: TraceInput): TraceInput => ({ ...input, text: undefined, spans: [] });
const texts = (input: TraceInput): string[] => wordsOf(input, 0).map(word => wordText(input, 0, word));
const isTemplate = (text: string): boolean => /^(<s>|<\/s>|\[CLS\]|\[SEP\]|<\|begin_of_text\|>|<bos>|<\|endoftext\|>)$/.test(text);

/** A vocabulary without a splitter has tokens that reach over blanks and points: these stay whole. */
const whole: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'llama2-like': { 'the quick brown fox jumped': ['the', 'quick brown fox jumped'], 'one, two.': ['one', ',', 'two.'] },
};

describe.each(families)('%s, with the text', family => {
  it.each([
    ['the quick brown fox jumped', ['the', 'quick', 'brown', 'fox', 'jumped']],
    ['Caf\u00e9 na\u00efve r\u00e9sum\u00e9', ['Caf\u00e9', 'na\u00efve', 'r\u00e9sum\u00e9']],
    ['one, two.', ['one', ',', 'two', '.']],
    ['don\u2019t stop', undefined],
  ] as const)('%s', (text, words) => {
    const input = inputOf(family, text), found = texts(input).filter(word => !isTemplate(word));
    // Vocabularies of the fixtures are small: what they do not know stays one unknown token, but never is joined over a blank.
    if (words) expect(found).toEqual(whole[family]?.[text] ?? words);
    if (!whole[family]?.[text]) for (const word of found) expect(word).not.toMatch(/\s/);
  });
  it('every position is in exactly one word, and no character is cut', () => {
    const input = inputOf(family, 'Hi \u{1f469}\u{1f3fd}\u200d\u{1f680} na\u00efve \u4f60\u597d\u4e16\u754c caf\u00e9 \u{1f1e9}\u{1f1ea}!'), words = wordsOf(input, 0);
    expect(words.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual(input.tokens[0].map((_, i) => i));
    for (let w = 1; w < words.length; w++) {
      const before = input.spans[0][words[w].from - 1], here = input.spans[0][words[w].from];
      if (before && here) expect(here[0], `word ${w} begins inside a character`).toBeGreaterThanOrEqual(before[1]);
    }
  });
  it('an emoji of several tokens is one word', () => {
    const input = inputOf(family, 'a \u{1f469}\u{1f3fd}\u200d\u{1f680} b'), words = texts(input);
    expect(words.filter(word => /[\u{1f3fd}\u{1f680}]/u.test(word)).length).toBeLessThanOrEqual(1);
  });
  it('Chinese is not joined to one long word', () => {
    const input = inputOf(family, '\u4f60\u597d\u4e16\u754c'), words = wordsOf(input, 0).filter(word => !isTemplate(input.tokens[0][word.from]));
    const characters = new Set(input.spans[0].flatMap((span, i) => (span && !isTemplate(input.tokens[0][i]) ? [`${span[0]}`] : [])));
    expect(words.length).toBe(characters.size);
  });
});

describe('without the text', () => {
  it.each(families.filter(family => !whole[family]))('%s: the same words of plain text', family => {
    const input = inputOf(family, 'the quick brown fox jumped over');
    expect(wordsOf(bare(input), 0)).toEqual(wordsOf(input, 0));
    expect(texts(bare(input)).filter(word => !isTemplate(word))).toEqual(['the', 'quick', 'brown', 'fox', 'jumped', 'over']);
  });
  it('bytes of one character are joined, two characters are not', () => {
    const input = { ids: [[0]], tokens: [[' \\xf0\\x9f', '\\x98\\x80', '\\xf0\\x9f', '\\x9a\\x80', '<0xE4>', '<0xBD>', '<0xA0>', 'ok']], spans: [], real: [] } as TraceInput;
    expect(wordsOf(input, 0)).toEqual([{ from: 0, to: 2 }, { from: 2, to: 4 }, { from: 4, to: 7 }, { from: 7, to: 8 }]);
  });
  it.each([
    [[' don', "'", 't', ' stop'], [[0, 3], [3, 4]]], [[' Anna', "'s", ' key'], [[0, 2], [2, 3]]], [[' "', 'quoted', '"', '.'], [[0, 1], [1, 2], [2, 3], [3, 4]]], [["'", 'quoted', "'", ' x'], [[0, 1], [1, 2], [2, 3], [3, 4]]],
    [['<s>', 'a', 'b', '</s>', 'c'], [[0, 1], [1, 3], [3, 4], [4, 5]]], [['\n', '\n', 'x'], [[0, 1], [1, 2], [2, 3]]], [['a', ' ', 'b', 'c', ' '], [[0, 1], [1, 4], [4, 5]]], [[' ##', ' title'], [[0, 1], [1, 2]]], [['un', '##able', 'to'], [[0, 2], [2, 3]]],
    [['e', '\u0301', 't'], [[0, 3]]], [['\u306d', '\u3053', '\u3067\u3059'], [[0, 1], [1, 2], [2, 3]]], [[' GP', 'T', '2'], [[0, 3]]], [['#12', '#13'], [[0, 1], [1, 2]]],
  ] as const)('%j', (tokens, words) => {
    expect(wordsOf({ ids: [[0]], tokens: [tokens], spans: [], real: [] }, 0).map(({ from, to }) => [from, to])).toEqual(words);
  });
  it('ids without a tokenizer have no words', () => {
    expect(hasWords({ ids: [[1, 2]], tokens: [['#1', '#2']], spans: [], real: [] }, 0)).toBe(false);
    expect(hasWords(inputOf('byte-level', 'the'), 0)).toBe(true);
  });
});

describe('finding text', () => {
  it('in tokens that reach over blanks', () => {
    const input = inputOf('llama2-like', 'the quick brown fox jumped over the fox');
    expect(findText(input, 0, 'fox').map(i => input.tokens[0][i])).toEqual(['n fox j', expect.stringMatching(/^ ?f/)]);
    expect(findText(bare(input), 0, 'fox')).toEqual(findText(input, 0, 'fox'));
  });
  it.each(families.filter(family => !whole[family]))('%s: over tokens, with and without the text, in any case', family => {
    const input = inputOf(family, 'the quick brown fox jumped over the fox'), at = (text: string, of = input) => findText(of, 0, text).map(i => wordText(of, 0, wordsOf(of, 0).find(word => word.from <= i && i < word.to)!));
    expect(at('FOX')).toEqual(['fox', 'fox']);
    expect(at('the')).toEqual(['the', 'the']);
    expect(at('fox', bare(input))).toEqual(['fox', 'fox']);
    expect(at('brown fox')).toEqual(['brown']);
    expect(findText(input, 0, '  ')).toEqual([]);
    expect(findText(input, 0, 'zebra')).toEqual([]);
  });
  it('of two texts, words end with their text and are found in both', () => {
    const two: TraceInput = { text: 'sil', pair: 'ver fox', ids: [[0, 1, 2]], tokens: [['sil', 'ver', ' fox']], spans: [[[0, 3], [0, 3], [3, 7]]], real: [[1, 1, 1]], segments: [[0, 1, 1]] };
    expect(texts(two)).toEqual(['sil', 'ver', 'fox']);
    expect(findText(two, 0, 'ver')).toEqual([1]);
  });
  it('finds special tokens by their spelling', () => expect(findText({ ids: [[0, 1]], tokens: [['<bos>', 'a']], spans: [[null, [0, 1]]], text: 'a', real: [[1, 1]] }, 0, '<bos')).toEqual([0]));
  it('goes on and back, round the ends', () => {
    expect([nextMatch([3, 8], undefined, 1), nextMatch([3, 8], 3, 1), nextMatch([3, 8], 8, 1), nextMatch([3, 8], 5, -1), nextMatch([3, 8], 3, -1), nextMatch([], 1, 1)]).toEqual([3, 8, 3, 3, 8, undefined]);
  });
});
