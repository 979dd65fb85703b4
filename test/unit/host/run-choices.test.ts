/** When a run is worth a question, and what is offered then. */
import { describe, expect, it } from 'vitest';
import type { RunFacts } from '../../../extension/contract/estimate.ts';
import { layersText, parseLayers } from '../../../extension/contract/layers.ts';
import { fewer, mightBeLarge, readLayers, runChoices, whyLarge } from '../../../extension/host/run-choices.ts';

/** 32 layers of 32 heads of 128 numbers, 8 kv heads. */
const facts = (tokens: number): RunFacts => ({
  batch: 1, tokens, weightBytes: 1e9, weights: 1e9, logitsBytes: 0, headerBytes: 1e6, freeBytes: 64e9, diskBytes: 500e9, speed: { productsPerMs: 1e8, cellsPerMs: 5e5 },
  sites: Array.from({ length: 32 }, (_, layer) => ({ layer, elements: tokens * 48 * 128, statisticsBytes: 4 * 32 * (5 * tokens + 1024), cells: 32 * tokens ** 2, products: 32 * tokens ** 2 * 256 })),
});

describe('layers as they are typed', () => {
  it('are read and written', () => {
    expect(parseLayers('0-3,10')).toEqual([0, 1, 2, 3, 10]);
    expect(parseLayers(' 10, 2 - 3 ,2')).toEqual([2, 3, 10]);
    expect(layersText([10, 0, 1, 2, 3, 3])).toBe('0-3,10');
    for (const text of ['0', '0-3,10', '1,3,5', '7-9']) expect(layersText(parseLayers(text)!)).toBe(text);
  });
  it('are refused when they are none', () => { for (const text of ['', ' ', 'a', '3-1', '1,,2', '-1', '1.5', '0-99999', '1;2']) expect(parseLayers(text), text).toBeUndefined(); });
  it('must be there', () => {
    expect(readLayers('0-3,31', facts(8))).toEqual({ layers: [0, 1, 2, 3, 31] });
    expect(readLayers('0-32', facts(8))).toEqual({ problem: 'There is no attention in layer 32: the layers are 0-31.' });
    expect(readLayers('all', facts(8))).toEqual({ problem: 'Type layers as 0-3,10.' });
  });
});

describe('a question', () => {
  it('is not even prepared for small models and short prompts', () => {
    expect(mightBeLarge(10e6, { kind: 'text', text: 'Anna gave the lantern to Boris. '.repeat(100) }, 1e9)).toBe(false);
    expect(mightBeLarge(700e6, { kind: 'text', text: 'Anna gave the lantern to Boris.' }, 1e9)).toBe(false);
    expect(mightBeLarge(1, { kind: 'text', text: 'x' }, 0)).toBe(true);
    expect(mightBeLarge(10e6, { kind: 'ids', ids: new Array<number>(4_000).fill(1) }, 1e9)).toBe(true);
    expect(mightBeLarge(4e9, { kind: 'text', text: 'x'.repeat(400) }, 1e9)).toBe(true);
    expect(mightBeLarge(1, { kind: 'tensors', file: 'x' }, 1e9)).toBe(true);
  });
  it('is asked for what takes long, fills the memory, or makes a large file, and says which', () => {
    const small = { memoryBytes: 1e9, fileBytes: 1e6, timeMs: 1e3 }, free = { freeBytes: 8e9, diskBytes: 100e9 };
    expect(whyLarge(small, free, 1e9)).toBeUndefined();
    expect(whyLarge(small, free, 0)).toBe('makes a file of about 1.0 MB');
    expect(whyLarge({ ...small, timeMs: 95_000 }, free, 1e9)).toBe('takes about 2 min');
    expect(whyLarge({ ...small, fileBytes: 1.6e9 }, free, 1e9)).toBe('makes a file of about 1.6 GB');
    expect(whyLarge({ ...small, memoryBytes: 6e9 }, free, 1e9)).toBe('needs about 6.0 GB of memory, and 8.0 GB are free');
    expect(whyLarge({ ...small, fileBytes: 8e8 }, { ...free, diskBytes: 1e9 }, 1e9)).toBe('makes a file of about 800 MB, and 1.0 GB are free on its disk');
  });
  it('offers everything, halves where it would be float32, and fewer layers', () => {
    const choices = runChoices(facts(1024), 'auto');
    expect(choices.map(choice => [choice.label, choice.kept])).toEqual([['Trace all 32 layers', {}], ['Trace all 32 layers, stored as float16', { dtype: 'fp16' }], ['Keep fewer layers…', undefined]]);
    // 32 × 1,024 × 48 × 128 numbers of four bytes, and statistics of 25 MB.
    expect(choices[0].description).toMatch(/ · 83\d MB on disk$/);
    expect(choices[1].description).toMatch(/ · 4[23]\d MB on disk$/);
    expect(choices[2].description).toMatch(/^for example 0,16,31: .* · 7\d MB on disk$/);
  });
  it('keeps to layers that were typed', () => {
    const choices = runChoices(facts(1024), 'auto', [0, 1, 2]);
    expect(choices.map(choice => [choice.label, choice.kept])).toEqual([['Trace layers 0-2', { layers: [0, 1, 2] }], ['Trace layers 0-2, stored as float16', { layers: [0, 1, 2], dtype: 'fp16' }], ['Keep other layers…', undefined]]);
    // Halves from a gigabyte on: then there is nothing left to halve.
    expect(runChoices(facts(8192), 'auto')).toHaveLength(2);
    expect(runChoices(facts(8192), 'fp32')).toHaveLength(3);
  });
  it('proposes few layers of many', () => {
    expect(fewer([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5])).toEqual([0, 3, 5]);
    expect(fewer([4], [0, 1])).toEqual([0, 1]);
  });
});
