/** What is fed to a model: what was given, what is filled, and what is refused with which sentence. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { tensorOf } from '../../../extension/engine/onnx/encode.ts';
import { dataType, type Model, type NewTensor, type ValueInfo } from '../../../extension/engine/onnx/model.ts';
import { modelFromBytes } from '../../../extension/engine/onnx/open.ts';
import { encodeHeader } from '../../../extension/engine/trace/safetensors.ts';
import { fillInputs, type Given } from '../../../extension/engine/run/inputs/inputs.ts';
import { readConfig } from '../../../extension/engine/run/inputs/model-config.ts';
import { readGivenTensors } from '../../../extension/engine/run/inputs/tensor-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-inputs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { int64, int32, float, bool } = dataType;

/** A model of these inputs whose ids are looked up in a table of `rows`, and whose positions are in one of `positions`. */
function modelOf(inputs: readonly ValueInfo[], { rows = 50, positions = 0 } = {}): Model {
  const initializers: NewTensor[] = [tensorOf('wte', [rows, 2], Array<number>(rows * 2).fill(0))];
  if (positions) initializers.push(tensorOf('transformer.wpe.weight', [positions, 2], Array<number>(positions * 2).fill(0)));
  const ids = inputs.find(input => input.type === int64 || input.type === int32)!.name;
  return modelFromBytes(buildModel({ nodes: [{ op: 'Gather', name: 'g', inputs: ['wte', ids], outputs: ['y'] }], inputs, outputs: [{ name: 'y', type: float }], initializers }), join(folder, 'm.onnx'));
}
const ids: ValueInfo = { name: 'input_ids', type: int64, dims: ['batch', 'sequence'] }, mask: ValueInfo = { name: 'attention_mask', type: int64, dims: ['batch', 'total'] };
const fill = (inputs: readonly ValueInfo[], given: Given, config = {}, size = {}): ReturnType<typeof fillInputs> => fillInputs(modelOf(inputs, size), given, config);
const refusal = (inputs: readonly ValueInfo[], given: Given, config = {}, size = {}): string => {
  try { fill(inputs, given, config, size); } catch (error) { if (error instanceof UserError) return error.sentence; throw error; }
  throw new Error('it was not refused');
};
const numbers = (feed: { readonly data: ArrayLike<number | bigint> }): number[] => Array.from(feed.data, Number);
const tensors = (of: Record<string, { shape: number[]; values: number[] }>): Given => ({ tensors: new Map(Object.entries(of)) });

describe('filling', () => {
  it('feeds ids in the declared type, and everything a decoder with a cache wants', () => {
    const past = (part: string): ValueInfo => ({ name: `past_key_values.0.${part}`, type: float, dims: ['batch', 2, 'past', 8] });
    const { feeds, filled, sides } = fill([ids, mask, { name: 'position_ids', type: int64, dims: ['batch', 'sequence'] }, past('key'), past('value'), { name: 'use_cache_branch', type: bool, dims: [1] }, { name: 'cache_position', type: int64, dims: ['sequence'] }, { name: 'token_type_ids', type: int32, dims: ['batch', 'sequence'] }], { ids: [5, 6, 7] });
    expect(feeds['input_ids']).toEqual({ type: 'int64', data: BigInt64Array.from([5n, 6n, 7n]), dims: [1, 3] });
    expect(numbers(feeds['attention_mask'])).toEqual([1, 1, 1]);
    expect(numbers(feeds['position_ids'])).toEqual([0, 1, 2]);
    expect(feeds['past_key_values.0.key']).toEqual({ type: 'float32', data: new Float32Array(0), dims: [1, 2, 0, 8] });
    expect(feeds['use_cache_branch']).toEqual({ type: 'bool', data: Uint8Array.of(0), dims: [1] });
    expect(numbers(feeds['cache_position'])).toEqual([0, 1, 2]);
    expect(feeds['token_type_ids']).toEqual({ type: 'int32', data: new Int32Array(3), dims: [1, 3] });
    expect(filled).toEqual({
      attention_mask: 'ones, [batch, tokens]', position_ids: '0, 1, 2, …', 'past_key_values.0.key': 'empty past, [1, 2, 0, 8]', 'past_key_values.0.value': 'empty past, [1, 2, 0, 8]',
      use_cache_branch: 'false: no cache', cache_position: 'positions of the tokens', token_type_ids: 'zeros, [batch, tokens]',
    });
    expect(sides).toEqual([{ name: 'text', input: 'input_ids', ids: [[5, 6, 7]], real: [[1, 1, 1]] }]);
  });
  it('counts positions over real tokens where the batch is padded on the left', () => {
    const given = tensors({ input_ids: { shape: [2, 4], values: [1, 2, 3, 4, 0, 0, 5, 6] }, attention_mask: { shape: [2, 4], values: [1, 1, 1, 1, 0, 0, 1, 1] } });
    const { feeds, filled, sides } = fill([ids, mask, { name: 'position_ids', type: int64, dims: ['batch', 'sequence'] }], given);
    expect(numbers(feeds['position_ids'])).toEqual([0, 1, 2, 3, 1, 1, 0, 1]);
    expect(filled).toEqual({ position_ids: 'count of real tokens before each' });
    expect(sides[0].real).toEqual([[1, 1, 1, 1], [0, 0, 1, 1]]);
  });
  it('makes the mask as long as past and tokens together where a past is given', () => {
    const past: ValueInfo = { name: 'past_key_values.0.key', type: float, dims: ['batch', 1, 'past', 2] };
    const { feeds } = fill([ids, mask, past, { name: 'position_ids', type: int64, dims: ['batch', 'sequence'] }], tensors({ input_ids: { shape: [1, 1], values: [3] }, 'past_key_values.0.key': { shape: [1, 1, 3, 2], values: [1, 2, 3, 4, 5, 6] } }));
    expect(feeds['attention_mask'].dims).toEqual([1, 4]);
    expect(numbers(feeds['position_ids'])).toEqual([3]);
  });
  it('gives the decoder of a sequence-to-sequence model a start token', () => {
    const { feeds, filled, sides } = fill([ids, mask, { name: 'decoder_input_ids', type: int64, dims: ['batch', 'target'] }], { ids: [4, 5] });
    expect(feeds['decoder_input_ids']).toEqual({ type: 'int64', data: BigInt64Array.of(0n), dims: [1, 1] });
    expect(filled['decoder_input_ids']).toBe('one start token (id 0) a sample');
    expect(sides.map(side => side.name)).toEqual(['text', 'decoder']);
  });
  it('repeats one prompt where the batch is fixed', () => expect(fill([{ ...ids, dims: [2, 'sequence'] }], { ids: [1, 2] }).feeds['input_ids'].dims).toEqual([2, 2]));
});

describe('refusing', () => {
  it('names an input that nobody defines', () => expect(refusal([ids, { name: 'style_vector', type: float, dims: ['batch', 16] }], { ids: [1] })).toBe('The input "style_vector" cannot be filled: nothing was given for it, and it is none that exporters define. Give it in a safetensors file with --inputs (shape [batch, 16]).'));
  it('a prompt that is longer than the table of positions', () => expect(refusal([ids], { ids: [1, 2, 3, 4] }, {}, { positions: 3 })).toBe('The prompt has 4 tokens (input_ids); the model has 3 positions (from its table transformer.wpe.weight). Use a shorter prompt.'));
  it('a prompt that is longer than config.json says', () => expect(refusal([ids], { ids: [1, 2, 3, 4] }, { positions: 2 })).toContain('the model has 2 positions (from its config.json)'));
  it('a token outside the vocabulary, and one below zero', () => {
    expect(refusal([ids], { ids: [1, 50] })).toBe('The token id 50 is not in the vocabulary, which has 50 tokens (0 to 49). Check the ids, or whether they belong to another model.');
    expect(refusal([ids], { ids: [-1] })).toContain('The token id -1 is not in the vocabulary');
  });
  it('no tokens', () => expect(refusal([ids], { ids: [] })).toBe('The prompt has no tokens. Give at least one token.'));
  it('ids for a model that takes none', () => expect(refusal([{ name: 'pixel_values', type: float, dims: [1, 3, 8, 8] }, { name: 'lengths', type: int64, dims: [1] }], { ids: [1] })).toBe('The model takes no token ids: its inputs are pixel_values, lengths. Give its inputs with --inputs FILE.safetensors.'));
  it('another length than the one that the graph was exported for', () => expect(refusal([{ ...ids, dims: [1, 12] }], { ids: [1, 2] })).toContain('exactly 12 tokens; this one has 2'));
  it('a shape that does not fit', () => expect(refusal([ids, { ...mask, dims: ['batch', 4] }], tensors({ input_ids: { shape: [1, 2], values: [1, 2] }, attention_mask: { shape: [1, 3], values: [1, 1, 1] } }))).toBe('The input "attention_mask" must have the shape [batch, 4]; found [1, 3]. Give a tensor of that shape.'));
  it('a past that cannot be empty', () => expect(refusal([ids, { name: 'past_key_values.0.key', type: float, dims: [1, 2, 16, 8] }], { ids: [1] })).toContain('is declared with 16 past positions, so that it cannot be empty'));
});

describe('a file of tensors', () => {
  const write = (name: string, tensor: string, dtype: 'I32' | 'F32', data: Int32Array | Float32Array): string => {
    const header = encodeHeader({ [tensor]: { dtype, shape: [1, data.length], offset: 0, length: data.byteLength }, other: { dtype, shape: [0], offset: data.byteLength, length: 0 } }, {}, 0)!, file = join(folder, name);
    writeFileSync(file, Buffer.concat([header, Buffer.from(data.buffer)]));
    return file;
  };
  it('is read with and without the prefix, and turned into the declared type', () => {
    for (const name of ['input_ids', 'in.input_ids']) {
      const given = readGivenTensors(write('a.safetensors', name, 'I32', Int32Array.of(7, 8)), ['input_ids']);
      expect([...given.keys()]).toEqual(['input_ids']);
      expect(fill([ids], { tensors: given }).feeds['input_ids']).toEqual({ type: 'int64', data: BigInt64Array.of(7n, 8n), dims: [1, 2] });
    }
  });
  it('is refused when it holds none of the inputs', () => expect(() => readGivenTensors(write('b.safetensors', 'x', 'F32', Float32Array.of(1)), ['input_ids'])).toThrow('holds none of the model\'s inputs (input_ids)'));
});

describe('config.json', () => {
  const config = (text: string): string => { writeFileSync(join(folder, 'config.json'), text); return join(folder, 'm.onnx'); };
  it('says positions and vocabulary, of the language model where there are several', () => {
    expect(readConfig(config('{"n_positions": 1024, "vocab_size": 50257, "other": [1]}'))).toEqual({ positions: 1024, vocabulary: 50257 });
    expect(readConfig(config('{"text_config": {"max_position_embeddings": 64}, "vocab_size": 9}'))).toEqual({ positions: 64, vocabulary: 9 });
    expect(readConfig(config('{}'))).toEqual({});
  });
  it.each([['[1]', 'is not a JSON object'], ['{', 'is not valid JSON'], ['{"vocab_size": "many"}', 'holds a wrong value: vocab_size should be a number and is \"many\"'], ['{"n_positions": -3}', 'holds a wrong value: n_positions should be at least 1 and is -3']])('%s is refused', (text, why) => {
    expect(() => readConfig(config(text))).toThrow(UserError);
    expect(() => readConfig(config(text))).toThrow(why);
    rmSync(join(folder, 'config.json'));
  });
});
