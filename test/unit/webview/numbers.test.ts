/** Colours, scales, a row in numbers, the parity badge: what the panels say about values. */
import { describe, expect, it } from 'vitest';
import { viridis } from '../../../extension/contract/viridis.ts';
import type { Parity } from '../../../extension/contract/trace.ts';
import type { Site } from '../../../extension/contract/site.ts';
import { badge, standing } from '../../../webview/marks/parity.ts';
import { rowMarks } from '../../../webview/marks/row.ts';
import { percent, position, probabilityScale, scoreScale, shortNumber, ticks } from '../../../webview/marks/scale.ts';
import { colourCss, colourMaps, colourTable } from '../../../webview/paint/colour-maps.ts';
import { colourTexels } from '../../../webview/paint/heat-2d.ts';

describe('viridis', () => {
  it('is matplotlib’s table', () => {
    // From d3-scale-chromatic 3.1.0, which carries matplotlib's table.
    for (const [i, rgb] of [[0, [68, 1, 84]], [64, [59, 82, 139]], [127, [33, 144, 141]], [191, [92, 200, 99]], [255, [253, 231, 37]]] as const) {
      for (let channel = 0; channel < 3; channel++) expect(viridis[i * 4 + channel], `colour ${i}`).toBe(rgb[channel]);
    }
    expect(viridis).toHaveLength(1024);
  });
  it.each(colourMaps.map(map => map.id))('%s grows lighter from end to end', id => {
    const table = colourTable[id], light = (i: number): number => 0.2126 * table[i * 4] + 0.7152 * table[i * 4 + 1] + 0.0722 * table[i * 4 + 2];
    expect(table).toHaveLength(1024);
    for (let i = 8; i < 256; i += 8) expect(light(i)).toBeGreaterThan(light(i - 8));
  });
  it('magma and cividis are the published ones', () => {
    // From d3-scale-chromatic 3.1.1.
    for (const [i, magma, cividis] of [[0, [0, 0, 4], [0, 32, 81]], [127, [181, 54, 122], [127, 123, 117]], [255, [252, 253, 191], [253, 234, 69]]] as const) {
      expect([...colourTable.magma.subarray(i * 4, i * 4 + 3)]).toEqual(magma);
      expect([...colourTable.cividis.subarray(i * 4, i * 4 + 3)]).toEqual(cividis);
    }
  });
  it('clamps', () => {
    expect(colourCss('viridis', -1)).toBe('rgb(68 1 84)');
    expect(colourCss('viridis', 2)).toBe(colourCss('viridis', 1));
  });
});

describe('scales', () => {
  it('places values', () => {
    expect(position(probabilityScale('linear', 0.5), 0.25)).toBeCloseTo(0.5);
    expect(position(probabilityScale('gamma', 0.5), 0.125)).toBeCloseTo(0.5);
    expect(position(probabilityScale('log', 1), 1e-3)).toBeCloseTo(0.5);
    expect(position(probabilityScale('log', 1), 0)).toBe(0);
    expect(position(probabilityScale('log', 1), 1e-9)).toBe(0);
    expect(position(probabilityScale('linear', 0.5), 0.9)).toBe(1);
  });
  it.each(['linear', 'gamma', 'log'] as const)('%s grows, and its ticks stand where their values do', kind => {
    const scale = probabilityScale(kind, 0.8), marks = ticks(scale);
    expect(marks[0].at).toBe(0);
    expect(marks[marks.length - 1]).toEqual({ at: 1, text: '0.8' });
    for (let i = 1; i < marks.length; i++) expect(marks[i].at).toBeGreaterThan(marks[i - 1].at);
    for (let i = 1; i <= 20; i++) expect(position(scale, i / 25)).toBeGreaterThan(position(scale, (i - 1) / 25));
  });
  it('survives a map without values', () => {
    expect(probabilityScale('linear', 0)).toEqual({ kind: 'linear', lo: 0, hi: 1 });
    expect(probabilityScale('log', NaN).hi).toBe(1);
    expect(scoreScale(3, 3)).toEqual({ kind: 'linear', lo: 2.5, hi: 3.5 });
    expect(scoreScale(Infinity, -Infinity)).toEqual({ kind: 'linear', lo: -1, hi: 1 });
  });
  it('writes numbers shortly', () => {
    expect([0, 1, 0.25, 0.00312, 2.13e-6, -3.456, 1234567, NaN, Infinity].map(shortNumber)).toEqual(['0', '1', '0.25', '0.0031', '2.1e-6', '−3.46', '1.2e6', 'n/a', '∞']);
    expect([0.6234, 0.034, 0.0021, 0.00001, 0, 1].map(percent)).toEqual(['62%', '3.4%', '0.21%', '<0.01%', '0%', '100%']);
  });
  it('gives hidden cells and numbers that are none colours of their own', () => {
    const out = new Uint8ClampedArray(16);
    colourTexels(Float32Array.of(0, NaN, Infinity, 1), probabilityScale('linear', 1), [1, 2, 3], out);
    expect([...out]).toEqual([68, 1, 84, 255, 1, 2, 3, 255, 255, 0, 0, 255, 253, 231, 37, 255]);
    colourTexels(Float32Array.of(-Infinity), probabilityScale('linear', 1), [1, 2, 3], out);
    expect([...out.subarray(0, 4)]).toEqual([255, 0, 0, 255]);
  });
});

describe('a row', () => {
  it('has entropy over visible keys, and its keys by probability', () => {
    const marks = rowMarks(Float32Array.of(0.5, 0.125, 0.25, 0.125, NaN, NaN), 2)!;
    expect(marks.entropyNats).toBeCloseTo(1.75 * Math.LN2, 6);
    expect(marks.effectiveKeys).toBeCloseTo(2 ** 1.75, 6);
    expect(marks.visibleKeys).toBe(4);
    expect(marks.top).toEqual([{ key: 0, probability: 0.5 }, { key: 2, probability: 0.25 }]);
    expect(marks.rest).toBeCloseTo(0.25, 6);
  });
  it('agrees with sorting', () => {
    const row = Float32Array.from({ length: 500 }, (_, i) => ((i * 7919) % 503) / 1e5), sorted = [...row].map((probability, key) => ({ key, probability })).sort((a, b) => b.probability - a.probability);
    expect(rowMarks(row, 10)!.top).toEqual(sorted.slice(0, 10));
  });
  it('is nothing where no key is visible', () => {
    expect(rowMarks(Float32Array.of(NaN, NaN), 5)).toBeUndefined();
    expect(rowMarks(Float32Array.of(0, 0), 5)).toBeUndefined();
  });
});

describe('parity', () => {
  const site = (name: string, layer: number) => ({ name, layer, stack: 'main', kind: 'self' }) as Site;
  const parity = (maxAbs: number | null, ok: boolean | null, why?: string): Parity => ({ maxAbs, ok, of: ok === null ? 'none' : 'pattern', rows: 64, dtype: 'F32', tolerance: 1e-5, ...(why ? { why } : {}) });
  const sites = [site('blocks.0.attn', 0), site('blocks.1.attn', 1)];
  it('shows the worst site and its tolerance', () => {
    const mark = badge({ sites, parity: { 'blocks.0.attn': parity(1e-7, true), 'blocks.1.attn': parity(2e-6, true) } });
    expect(mark).toMatchObject({ level: 'ok', text: 'parity 2e-6', failures: [] });
    expect(mark.detail).toBe('2 sites agree with the model’s own numbers: worst L1, 2e-6 of 1e-5 allowed (probabilities, 64 rows a head, stored as F32).');
  });
  it('names every failed site with its reason', () => {
    const mark = badge({ sites, parity: { 'blocks.0.attn': parity(1e-7, true), 'blocks.1.attn': parity(0.3, false, 'The scale does not fit.') } });
    expect(mark).toMatchObject({ level: 'failed', text: 'parity failed at 1 of 2 sites' });
    expect(mark.failures).toEqual([{ site: 'blocks.1.attn', sentence: 'L1: off by 0.3 where 1e-5 is allowed (probabilities). The scale does not fit.' }]);
  });
  it('does not call an unchecked site good', () => {
    expect(standing(parity(null, null))).toBe('unchecked');
    expect(standing(undefined)).toBe('unchecked');
    expect(badge({ sites, parity: { 'blocks.0.attn': parity(null, null), 'blocks.1.attn': parity(null, null) } }).level).toBe('none');
    expect(badge({ sites, parity: { 'blocks.0.attn': parity(1e-6, true), 'blocks.1.attn': parity(null, null) } }).detail).toContain('1 more could not be compared.');
  });
});
