/** Spans that are brushed on a ruler: geometry, requests, numbers and words. */
import { describe, expect, it } from 'vitest';
import { bandOf } from '../../../webview/marks/bands.ts';
import type { MapAxes } from '../../../webview/marks/map-axes.ts';
import { columnOf, restoreSpan, spanBetween, spanCells, spanMarks, spanRequest, spanSentence, spanText } from '../../../webview/marks/span.ts';
import { keyAction } from '../../../webview/panels/map-keys.ts';

const plain = bandOf(100), words = bandOf(12, { words: [{ from: 0, to: 1 }, { from: 1, to: 4 }, { from: 4, to: 9 }, { from: 9, to: 12 }], hidden: new Set([0]) });
const head = { trace: 't', site: 's', batch: 0, head: 1 };
const axes = (more: Partial<MapAxes>): MapAxes => ({ rows: plain, cols: plain, queries: 100, keys: 100, without: [], rowLabel: (cell: number) => `r${cell}`, colLabel: (cell: number) => `c${cell}`, ...more }) as MapAxes;

it('reaches from one cell to another in any order, within the axis, over whole words', () => {
  expect(spanBetween('rows', plain, 30, 10)).toEqual({ of: 'rows', from: 10, to: 31 });
  expect(spanBetween('cols', plain, -5, 400)).toEqual({ of: 'cols', from: 0, to: 100 });
  expect(spanBetween('cols', words, 0, 1)).toEqual({ of: 'cols', from: 1, to: 9 });
  expect(spanBetween('rows', bandOf(0), 0, 0)).toBeUndefined();
});
it('is found again on another axis of the same positions, and not where that ends before it', () => {
  expect(spanCells(plain, { from: 10, to: 31 })).toEqual([10, 31]);
  expect(spanCells(words, { from: 2, to: 5 })).toEqual([0, 2]);
  expect(spanCells(plain, { from: 100, to: 120 })).toBeUndefined();
  expect(spanCells(plain, { from: 90, to: 120 })).toEqual([90, 100]);
});
it('what was kept or linked is a span or nothing', () => {
  expect(restoreSpan({ of: 'cols', from: 3, to: 9, more: 1 })).toEqual({ of: 'cols', from: 3, to: 9 });
  for (const wrong of [undefined, null, 7, {}, { of: 'x', from: 0, to: 1 }, { of: 'rows', from: 2, to: 2 }, { of: 'rows', from: -1, to: 2 }, { of: 'rows', from: 0.5, to: 2 }]) expect(restoreSpan(wrong)).toBeUndefined();
});

describe('asking the engine', () => {
  it('one row for queries, one column for keys; plain sides are not spelled out', () => {
    expect(spanRequest(head, axes({}), { of: 'rows', from: 10, to: 31 })).toEqual({ ...head, rows: [10, 31], cols: [0, 100], height: 1, width: 100, of: 'prob', reduce: 'mean', join: { rows: [10, 31] } });
    expect(spanRequest(head, axes({ without: [0] }), { of: 'cols', from: 10, to: 31 })).toEqual({ ...head, rows: [0, 100], cols: [10, 31], height: 100, width: 1, of: 'prob', reduce: 'mean', join: { cols: [10, 31] }, without: [0] });
  });
  it('cells that are words, or left out, are', () => {
    expect(spanRequest(head, axes({ cols: words }), { of: 'rows', from: 1, to: 4 })).toMatchObject({ cols: [1, 12], width: 3, join: { rows: [1, 4], cols: [1, 4, 4, 9, 9, 12] } });
  });
});

describe('numbers', () => {
  const values = new Float32Array(100).fill(NaN);
  for (let key = 0; key < 60; key++) values[key] = key === 0 ? 0.5 : key === 15 ? 0.3 : key === 40 ? 0.1 : 0.1 / 57;
  it('the most of it, what is left, and where it falls', () => {
    const marks = spanMarks(values, plain, { of: 'rows', from: 10, to: 31 }, 2)!;
    expect(marks.top.map(one => one.cell)).toEqual([0, 15]);
    expect(marks.rest).toBeCloseTo(0.2, 5);
    expect(marks.within).toBeCloseTo(0.3 + 20 * 0.1 / 57, 5);
    expect(marks.before).toBeCloseTo(0.5 + 9 * 0.1 / 57, 5);
    expect(marks.within + marks.before + marks.behind).toBeCloseTo(1, 5);
  });
  it('of keys the mean counts only queries that see any', () => expect(spanMarks(Float32Array.of(NaN, 0.2, 0.4), bandOf(3), { of: 'cols', from: 0, to: 1 }, 5)!.mean).toBeCloseTo(0.3, 6));
  it('nothing visible is nothing', () => expect(spanMarks(new Float32Array(3).fill(NaN), bandOf(3), { of: 'rows', from: 0, to: 1 }, 5)).toBeUndefined());
  it('is told in a sentence', () => {
    expect(spanSentence(axes({}), { of: 'rows', from: 10, to: 31 }, values)).toBe('Queries 10–30 look at key 0 c0 with 50%, key 15 c15 with 30%, key 40 c40 with 10%');
    expect(spanSentence(axes({}), { of: 'cols', from: 1000, to: 2000 }, Float32Array.of(NaN, 0.25))).toBe('Keys 1,000–1,999 get 25% of a query, most of query 1 r1 with 25%');
    expect(spanText({ from: 7, to: 8 })).toBe('7');
  });
  it('a column has no more bars than pixels, each the largest of its rows', () => {
    const column = columnOf(Float32Array.from({ length: 1000 }, (_, n) => (n === 501 ? 0.9 : n % 2 ? 0.1 : NaN)), [400, 900], 50);
    expect(column.values).toHaveLength(50);
    expect(column.most).toBeCloseTo(0.9, 6);
    expect(column.values.indexOf(Math.fround(0.9))).toBe(10);
    expect(columnOf(Float32Array.of(0.5, NaN), [0, 2], 400).values).toHaveLength(2);
  });
});

it('keys: b for queries, Shift+B for keys, not with Ctrl', () => {
  const key = (name: string, ctrlKey = false) => keyAction({ key: name, shiftKey: name === 'B', ctrlKey, metaKey: false }, { row: 0, col: 0 }, { rows: 9, cols: 9 }, 3);
  expect([key('b'), key('B'), key('b', true)]).toEqual([{ do: 'brush-rows' }, { do: 'brush-cols' }, undefined]);
});
