/** What is typed as a prompt, what it is called, and what a trace's input says about doing it again. */
import { expect, it } from 'vitest';
import { isPrompt, longestPrompt, promptOf, promptTitle, readPrompt, shorten, typedAs } from '../../../extension/host/prompts.ts';

it('takes any text where there is a tokenizer, digits too', () => {
  expect(readPrompt('1, 2, 3', true)).toEqual({ prompt: { kind: 'text', text: '1, 2, 3' } });
  expect(readPrompt(' leading and trailing ', true)).toEqual({ prompt: { kind: 'text', text: ' leading and trailing ' } });
  expect(readPrompt('', true)).toEqual({ problem: 'Type the text that the model should read.' });
});
it('takes ids, apart by commas or spaces, where there is none', () => {
  expect(readPrompt(' 1,2 3,\n40 ', false)).toEqual({ prompt: { kind: 'ids', ids: [1, 2, 3, 40] } });
  expect(readPrompt('0', false)).toEqual({ prompt: { kind: 'ids', ids: [0] } });
});
it.each([
  ['  ', 'There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.'],
  ['1, two', '“two” is no token id. There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.'],
  ['-1', '“-1” is no token id. There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.'],
  ['1.5', '“1.5” is no token id. There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.'],
  ['9999999999', '“9999999999” is no token id. There is no tokenizer.json beside this model: type token ids, as 1, 2, 3.'],
])('refuses %j as ids, with a sentence', (typed, problem) => expect(readPrompt(typed, false)).toEqual({ problem }));
it('bounds what it takes', () => {
  expect(readPrompt('x'.repeat(longestPrompt + 1), true)).toEqual({ problem: 'The prompt is too long: 1,000,001 characters, and at most 1,000,000 are taken.' });
  expect(readPrompt('1 '.repeat(131_073), false)).toEqual({ problem: 'At most 131,072 token ids are taken; found 131,073.' });
});
it('gives back what was typed, so that the history can be read again', () => {
  for (const [typed, tokenizer] of [['Some text', true], ['5, 6, 7', false]] as const) {
    const read = readPrompt(typed, tokenizer);
    expect('prompt' in read && typedAs(read.prompt)).toBe(typed);
  }
});
it('names a prompt in one line, never cutting a character in two', () => {
  expect(promptTitle({ kind: 'text', text: 'two\nlines  here' })).toBe('“two lines here”');
  expect(promptTitle({ kind: 'ids', ids: [1, 2] })).toBe('ids 1, 2');
  expect(promptTitle({ kind: 'tensors', file: '/a/b/in.safetensors' })).toBe('tensors of in.safetensors');
  expect(shorten('😀😀😀😀', 3)).toBe('😀😀…');
  expect(shorten('abc', 3)).toBe('abc');
});
it('finds how a trace went on, and what was said to it', () => {
  const input = { ids: [[1, 2, 3]], tokens: [['a', 'b', 'c']], spans: [], real: [[1, 1, 1]], given: 1 };
  expect(promptOf(input)).toEqual({ kind: 'ids', ids: [1], generate: 2 });
  expect(promptOf({ ...input, text: '<user> a', message: 'a' })).toEqual({ kind: 'text', text: 'a', chat: true, generate: 2 });
  expect(promptTitle({ kind: 'ids', ids: [1], generate: 2 })).toBe('ids 1 and up to 2 generated tokens');
  expect([isPrompt({ kind: 'ids', ids: [1], generate: 2 }), isPrompt({ kind: 'ids', ids: [1], generate: 'two' }), isPrompt({ kind: 'text', text: 'a', chat: 'yes' })]).toEqual([true, false, false]);
});
it('finds the prompt of a trace, and none for a batch of ids', () => {
  const input = { ids: [[1, 2]], tokens: [['a', 'b']], spans: [], real: [[1, 1]] };
  expect(promptOf({ ...input, text: 'a b' })).toEqual({ kind: 'text', text: 'a b' });
  expect(promptOf(input)).toEqual({ kind: 'ids', ids: [1, 2] });
  expect(promptOf({ ...input, ids: [[1, 2], [3, 4]] })).toBeUndefined();
});
it('believes prompts only in their own shapes', () => {
  expect([{ kind: 'text', text: '' }, { kind: 'ids', ids: [] }, { kind: 'tensors', file: 'f' }].every(isPrompt)).toBe(true);
  expect([undefined, null, 'text', {}, { kind: 'text' }, { kind: 'ids', ids: ['1'] }, { kind: 'other', text: 'x' }].some(isPrompt)).toBe(false);
});

it('takes two texts where the model takes two, and only there', () => {
  expect(readPrompt('a cat ||| a dog ||| x', true, true)).toEqual({ prompt: { kind: 'text', text: 'a cat', pair: 'a dog ||| x' } });
  expect(readPrompt('a ||| b', true)).toEqual({ prompt: { kind: 'text', text: 'a ||| b' } });
  const prompt = { kind: 'text', text: 'a', pair: 'b' } as const;
  expect(readPrompt(typedAs(prompt), true, true)).toEqual({ prompt });
  expect(promptTitle(prompt)).toBe('“a ||| b”');
  expect([isPrompt(prompt), isPrompt({ ...prompt, pair: 3 })]).toEqual([true, false]);
  expect(promptOf({ text: 'a', pair: 'b', ids: [[1, 2]], tokens: [['a', 'b']], spans: [], real: [[1, 1]] })).toEqual(prompt);
});
