/** Axes of joined and left-out tokens, rows summed, lines, titles, tables, keys: what the Attention tab computes before it paints. */
import { describe, expect, it } from 'vitest';
import type { HeadStats, TraceInput } from '../../../extension/contract/trace.ts';
import { bandOf, cellOf, joinRow, nearestCell, reach, runsOf } from '../../../webview/marks/bands.ts';
import { lineLayout, linesOf } from '../../../webview/marks/lines.ts';
import { mapAxes, sinkRequest, specialPositions, tileRequest, type AxesOptions } from '../../../webview/marks/map-axes.ts';
import { mapTitle } from '../../../webview/marks/map-title.ts';
import { tableText } from '../../../webview/marks/table.ts';
import { around, shown } from '../../../webview/marks/tokens.ts';
import { keyAction, keyHelp } from '../../../webview/panels/map-keys.ts';

describe('bands', () => {
  const band = bandOf(8, { words: [{ from: 0, to: 1 }, { from: 1, to: 4 }, { from: 4, to: 8 }], hidden: new Set([0, 5]) });
  it('joins words, leaves positions out, and parts the word that they stand in', () => {
    expect([...band.from].map((from, i) => [from, band.to[i]])).toEqual([[1, 4], [4, 5], [6, 8]]);
    expect(band.plain).toBe(false);
    expect(bandOf(3)).toMatchObject({ count: 3, plain: true });
  });
  it('knows the cell of a position, or the nearest', () => {
    expect([0, 1, 3, 4, 5, 7].map(at => cellOf(band, at))).toEqual([undefined, 0, 0, 1, undefined, 2]);
    expect([0, 1, 4, 5, 7, 99].map(at => nearestCell(band, at))).toEqual([0, 0, 1, 1, 2, 2]);
  });
  it('tells the engine runs and reach', () => {
    expect(runsOf(band, [0, 2])).toEqual([1, 4, 4, 5]);
    expect(reach(band, [0, 3])).toEqual([1, 8]);
  });
  it('sums a row of single probabilities', () => {
    // Two queries; the second sees one key more. Word {1, 2}, then key 3; without key 0 rows are divided by .5 and .75.
    const values = Float32Array.of(0.5, 0.25, 0.25, NaN, 0.25, 0.25, 0.25, 0.25), cols = bandOf(4, { words: [{ from: 1, to: 3 }, { from: 3, to: 4 }] });
    expect([...joinRow(values, 4, cols, [])]).toEqual([0.5, 0.125]);
    expect([...joinRow(values, 4, cols, [0])].map(value => Number(value.toFixed(6)))).toEqual([Number(((1 + 2 / 3) / 2).toFixed(6)), Number((1 / 3 / 2).toFixed(6))]);
    expect([...joinRow(Float32Array.of(1, NaN, NaN, NaN), 4, cols, [0])]).toEqual([NaN, NaN]);
  });
});

describe('axes of a map', () => {
  const text = 'silver key', input: TraceInput = { text, ids: [[0, 1, 2, 3, 4]], tokens: [['<bos>', 'sil', 'ver', ' key', '[PAD]']], spans: [[null, [0, 3], [3, 6], [6, 10], null]], real: [[1, 1, 1, 1, 0]] };
  const stats = { batch: 0, head: 0, sink: 0.61, sinkKey: 0 } as HeadStats, off: AxesOptions = { words: false, hideSpecial: false, sinkApart: false, renormalised: false }, head = { trace: 't', site: 'blocks.0.attn', batch: 0, head: 0 };
  const axes = (options: Partial<AxesOptions>, more: { readonly sink?: number; readonly kind?: 'self' | 'cross'; readonly keys?: number } = {}) => mapAxes({ input, batch: 0, site: { kind: more.kind ?? 'self', stack: 'main' }, mask: { causal: true, offset: 0, window: null, keys: null, bias: null, sink: null }, extent: { queries: 5, keys: more.keys ?? 5 }, stats: { ...stats, sink: more.sink ?? stats.sink }, options: { ...off, ...options } });
  const labels = (of: ReturnType<typeof axes>) => [Array.from({ length: of.rows.count }, (_, i) => of.rowLabel(i)), Array.from({ length: of.cols.count }, (_, i) => of.colLabel(i))];
  it('plain: every token, and the request of before', () => {
    expect(labels(axes({}))[0]).toEqual(['<bos>', 'sil', 'ver', '·key', '[PAD]']);
    expect(tileRequest(head, axes({}), [0, 5], [0, 5], { height: 5, width: 5 }, 'max')).toEqual({ ...head, rows: [0, 5], cols: [0, 5], height: 5, width: 5, of: 'prob', reduce: 'max' });
  });
  it('words, without special tokens, the sink apart, renormalised', () => {
    const all = axes({ words: true, hideSpecial: true, sinkApart: true, renormalised: true });
    expect(labels(all)).toEqual([['silver', 'key'], ['silver', 'key']]);
    expect(all).toMatchObject({ without: [0, 4], sink: { key: 0, token: '<bos>', share: 0.61 }, words: true, hidden: true, renormalised: true, causalOffset: 0 });
    expect(tileRequest(head, all, [0, 2], [0, 1], { height: 2, width: 1 }, 'max')).toMatchObject({ rows: [1, 4], cols: [1, 3], join: { rows: [1, 3, 3, 4], cols: [1, 3] }, without: [0, 4] });
    expect(sinkRequest(head, all, 0, [0, 2], 2)).toMatchObject({ rows: [1, 4], cols: [0, 1], join: { rows: [1, 3, 3, 4], cols: [0, 1] }, reduce: 'mean' });
    expect(sinkRequest(head, all, 0, [0, 2], 2)).not.toHaveProperty('without');
  });
  it('only a sink is set apart', () => expect(axes({ sinkApart: true, renormalised: true }, { sink: 0.29 })).toMatchObject({ sink: undefined, renormalised: false, without: [] }));
  it('a sink keeps its row', () => expect(labels(axes({ sinkApart: true }))).toEqual([['<bos>', 'sil', 'ver', '·key', '[PAD]'], ['sil', 'ver', '·key', '[PAD]']]));
  it('keys that are no tokens are neither joined nor hidden', () => {
    expect(labels(axes({ words: true, hideSpecial: true, sinkApart: true }, { kind: 'cross', keys: 3 }))).toEqual([['silver', 'key'], ['#1', '#2']]);
    expect(axes({ sinkApart: true }, { kind: 'cross', keys: 3 }).sink).toMatchObject({ token: 'key 0' });
  });
  it('cross-attention names source and target, each with its own words; sound has moments', () => {
    const target = { ids: [[0, 7, 8]], tokens: [['</s>', ' der', ' Key']], spans: [], real: [[1, 1, 1]] }, site = { kind: 'cross', stack: 'decoder' } as const, of = { batch: 0, site, mask: undefined, stats: { ...stats, sinkKey: 2 } };
    const text_ = mapAxes({ ...of, input: { ...input, target }, extent: { queries: 3, keys: 5 }, options: { ...off, words: true, hideSpecial: true, sinkApart: true } });
    expect(labels(text_)).toEqual([['der', 'Key'], ['sil', 'key']]);
    expect(text_).toMatchObject({ rowName: 'target', colName: 'source', sink: { token: 'ver' } });
    expect(labels(mapAxes({ ...of, site: { kind: 'self', stack: 'decoder' }, input: { ...input, target }, extent: { queries: 3, keys: 3 }, options: off }))).toEqual([target.tokens[0].map(shown), target.tokens[0].map(shown)]);
    const heard = mapAxes({ ...of, input: { ...target, audio: { positions: 4, secondsPerPosition: 0.02 } }, extent: { queries: 3, keys: 4 }, options: { ...off, words: true } });
    expect(labels(heard)[1]).toEqual(['0.00 s', '0.02 s', '0.04 s', '0.06 s']);
    expect([heard.rowName, heard.colName, heard.colTime?.(2, 3), heard.rowTime]).toEqual(['target', 'sound', '0.04–0.06 s', undefined]);
  });
  it('an input of nothing but special tokens hides none', () => expect(specialPositions({ ...input, tokens: [['<bos>', '</s>']], real: [[1, 1]] }, 0).size).toBe(0));
  it('has another id whenever a cell differs', () => expect(new Set([axes({}), axes({ words: true }), axes({ hideSpecial: true }), axes({ sinkApart: true }), axes({ sinkApart: true, renormalised: true })].map(one => one.id)).size).toBe(5));
  it('gives the text around a word', () => expect(around(input, 0, 1, 20, 3)).toEqual({ before: '', here: 'silver', after: ' key' }));
});

describe('titles', () => {
  const plain = { label: 'L4H7', words: false, hidden: false, renormalised: false, pooled: 1 };
  it('name every reduction', () => {
    expect(mapTitle(plain)).toBe('L4H7');
    expect(mapTitle({ ...plain, sink: { token: '<bos>', share: 0.612 } })).toBe('L4H7 · 61% on <bos> set apart');
    expect(mapTitle({ label: 'L4H7', words: true, hidden: true, renormalised: true, sink: { token: '<bos>', share: 0.612 }, pooled: 4 })).toBe('L4H7 · 61% on <bos> set apart · special tokens hidden · rows renormalized without <bos> and special tokens · words: sum over key tokens, mean over query tokens · largest of 4×4 cells');
  });
});

describe('lines', () => {
  it('draws what is seen, strongest last, between the middles of its tokens', () => {
    const layout = lineLayout(2, 3, 60), lines = linesOf(Float32Array.of(0.9, NaN, 0, 0.2, 0.5, 0.001), 2, 3, layout, value => value);
    expect(lines.map(({ row, col }) => [row, col])).toEqual([[1, 0], [1, 1], [0, 0]]);
    expect(lines[0]).toMatchObject({ y0: 1.5 * layout.rowStep, y1: 0.5 * layout.colStep, strength: expect.closeTo(0.2) });
    expect(layout.height).toBe(60);
    expect(lineLayout(90, 3, 60).rowStep).toBe(13);
  });
});

describe('tables', () => {
  it('quote what has to be, leave hidden cells empty, and begin no cell with a formula', () => {
    expect(tableText({ title: 'L0H0, words', rows: ['0 <bos>', '1 ="x"'], cols: ['0 <bos>', '1 ,'], data: Float32Array.of(1, NaN, 0.1, 2.5e-7) })).toBe('"# L0H0, words"\nquery,0 <bos>,"1 ,"\n0 <bos>,1,\n"1 =""x""",0.1,2.5e-7\n');
  });
});

describe('keys', () => {
  const extent = { rows: 100, cols: 50 }, press = (key: string, more: Partial<Parameters<typeof keyAction>[0]> = {}) => keyAction({ key, shiftKey: false, ctrlKey: false, metaKey: false, ...more }, { row: 10, col: 5 }, extent, 20);
  it('move within the map', () => {
    const cell = (key: string, more = {}) => { const action = press(key, more); return action?.do === 'move' ? [action.cell.row, action.cell.col] : action; };
    expect([cell('ArrowDown'), cell('ArrowUp', { shiftKey: true }), cell('ArrowLeft', { shiftKey: true }), cell('End'), cell('Home'), cell('End', { ctrlKey: true }), cell('Home', { metaKey: true }), cell('PageDown'), cell('PageUp')])
      .toEqual([[11, 5], [0, 5], [10, 0], [10, 49], [10, 0], [99, 49], [0, 0], [30, 5], [0, 5]]);
  });
  it('zoom, fit, choose and let go', () => {
    expect([press('+'), press('0'), press('Enter'), press('Escape')]).toEqual([{ do: 'zoom', factor: 1.4 }, { do: 'fit' }, { do: 'choose' }, { do: 'release' }]);
    for (const own of [press('x'), press('+', { ctrlKey: true }), press('ArrowUp', { altKey: true })]) expect(own).toBeUndefined();
  });
  it('are all in the help', () => expect(keyHelp.map(([key]) => key).join(' ')).toContain('p / n N s r h w l c e ?'));
});
