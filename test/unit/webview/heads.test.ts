/** The Overview's heads without a page: numbers, ranking, filter, rows, groups, and where the keyboard leads. */
import { describe, expect, it } from 'vitest';
import { metricCards } from '../../../extension/engine/analysis/measure-heads.ts';
import type { Site } from '../../../extension/contract/site.ts';
import type { HeadStats, Manifest, MetricCard, Parity } from '../../../extension/contract/trace.ts';
import { cellLefts, columnsFor, fitsBeside, groupGap, heatSize } from '../../../webview/marks/grid.ts';
import { findMetric, parseFilter } from '../../../webview/marks/head-filter.ts';
import { headRows, moveIn, type HeadOrder, type RowsOf } from '../../../webview/marks/head-rows.ts';
import { headSentence, sinkWords } from '../../../webview/marks/head-words.ts';
import { headEntries, meanOf, metricNumber, metricOf, metricScale, metricText, rank } from '../../../webview/marks/heads.ts';
import { cellColors } from '../../../webview/paint/heat-cells.ts';
import { plainOverview, restoreOverview } from '../../../webview/panels/overview-arrangement.ts';

const site = (name: string, more: Partial<Site>): Site => ({ name, stack: 'main', layer: 0, kind: 'self', form: 'dense', heads: 4, kvHeads: 4, ...more }) as Site;
const stats = (head: number, sink: number, more: Partial<HeadStats> = {}): HeadStats => ({ batch: 0, head, sink, sinkKey: 0, patternEntropy: 1 + head / 10, prevTokenScore: 0, selfAttentionScore: 0, inductionScore: 0, qkDistance: 2, qkDistanceVariance: 0, maxProb: 0.5, firstTokenShare: sink, saturation: 0, ...more });
const ok = { ok: true } as Parity, failed = { ok: false } as Parity;
const card = (name: string): MetricCard => metricCards.find(one => one.name === name)!;
const input = { ids: [[1, 2]], tokens: [['<bos>', ' fox']], spans: [], real: [[1, 1]] };

/** Layers 0 (four heads), 1 (four heads on two key/value heads, second sample too) and 2 (failed parity). */
const decoder: Pick<Manifest, 'sites' | 'heads' | 'parity'> = {
  sites: [site('blocks.0.attn', {}), site('blocks.1.attn', { layer: 1, kvHeads: 2 }), site('blocks.2.attn', { layer: 2 })],
  heads: {
    'blocks.0.attn': [stats(0, 0.1), stats(1, 0.9), stats(2, 0.5), stats(3, 0.5)],
    'blocks.1.attn': [stats(0, 0.2), stats(1, 0.3), stats(2, 0.8), stats(3, 0.05), stats(0, 0.99, { batch: 1 })],
    'blocks.2.attn': [stats(0, 1), stats(1, 1), stats(2, 1), stats(3, 1)],
  },
  parity: { 'blocks.0.attn': ok, 'blocks.1.attn': ok, 'blocks.2.attn': failed },
};
const heads = headEntries(decoder, 0);
/** Encoder, decoder and cross-attention, one layer each. */
const seq2seq = headEntries({
  sites: [site('encoder.blocks.0.attn', { stack: 'encoder', heads: 2, kvHeads: 2 }), site('decoder.blocks.0.attn', { stack: 'decoder', heads: 2, kvHeads: 2 }), site('decoder.blocks.0.cross_attn', { stack: 'decoder', kind: 'cross', heads: 2, kvHeads: 2 })],
  heads: Object.fromEntries(['encoder.blocks.0.attn', 'decoder.blocks.0.attn', 'decoder.blocks.0.cross_attn'].map((name, i) => [name, [stats(0, 0.1 * (i + 1), { prevTokenScore: 0.7 }), stats(1, 0.4)]])), parity: {},
}, 0);
const labels = (list: readonly { readonly label: string }[]): string[] => list.map(one => one.label);

describe('numbers of heads', () => {
  it('every metric of the registry says what it is', () => {
    expect(metricCards.map(one => one.name)).toEqual(expect.arrayContaining(['sink', 'sinkKey', 'patternEntropy', 'prevTokenScore', 'inductionScore', 'selfAttentionScore', 'qkDistance', 'qkDistanceVariance', 'maxProb', 'firstTokenShare']));
    expect(new Set(metricCards.map(one => one.title)).size).toBe(metricCards.length);
    expect(metricCards.every(one => 'measure' in one)).toBe(false);
  });
  it('are those of the sample, and none where the site failed or the metric means nothing', () => {
    expect(headEntries(decoder, 1).filter(entry => entry.stats).map(entry => [entry.label, entry.stats!.sink])).toEqual([['L1H0', 0.99]]);
    expect(heads).toHaveLength(12);
    expect(metricOf(heads[1], card('sink'))).toBe(0.9);
    expect(metricOf(heads[8], card('sink'))).toBeUndefined();
    expect(seq2seq.map(entry => metricOf(entry, card('prevTokenScore')))).toEqual([0.7, 0, 0.7, 0, undefined, undefined]);
    expect(metricOf({ ...heads[0], stats: stats(0, NaN) }, card('sink'))).toBeUndefined();
  });
  it('a damaged head count does not hang the page', () => {
    expect(headEntries({ sites: [site('blocks.0.attn', { heads: 2 ** 31 })], heads: {}, parity: {} }, 0)).toHaveLength(4096);
  });
  it('are written in their unit', () => {
    expect([metricText(card('sink'), 0.624), metricText(card('patternEntropy'), 1.234), metricText(card('qkDistance'), 3), metricText(card('sinkKey'), 4), metricText(card('sink'), undefined)]).toEqual(['62%', '1.23 nats', '3 tokens', 'position 4', 'n/a']);
    expect([metricNumber(card('qkDistanceVariance'), 12.5), metricNumber(card('sinkKey'), 4)]).toEqual(['12.5', '#4']);
  });
  it('are told in a sentence, the chosen metric first', () => {
    expect(headSentence(heads[1], input, 0, metricCards, card('firstTokenShare'))).toBe('L0H1: first-token share 90%, previous token 0%, induction 0%, sink 90% on <bos> (position 0), entropy 1.1 nats, distance 2 tokens');
    expect(headSentence(heads[6], input, 0, metricCards, card('sink'))).toContain('key/value head 1');
    expect(headSentence(heads[8], input, 0, metricCards, card('sink'))).toBe('L2H0: not drawn, its site failed the parity check');
    expect(headSentence(seq2seq[4], input, 0, metricCards, card('prevTokenScore'))).toMatch(/^decoder\.cross\.L0H0: no previous token, /);
    expect(sinkWords(seq2seq[5], input, 0), 'a key of cross-attention is no token of the prompt').toBe('40% #0');
    expect(sinkWords(heads[0], input, 0)).toBeUndefined();
  });
  it('have one scale: shares from zero to the largest, what has no end of its own from the least', () => {
    expect(metricScale(heads, card('sink'))).toEqual({ kind: 'linear', lo: 0, hi: 0.9 });
    expect(metricScale(heads, card('inductionScore'))).toEqual({ kind: 'linear', lo: 0, hi: 1 });
    expect(metricScale(heads, card('patternEntropy'))).toEqual({ kind: 'linear', lo: 1, hi: 1.3 });
    expect(metricScale(heads, card('qkDistance')), 'all the same').toEqual({ kind: 'linear', lo: 0, hi: 2 });
    expect(metricScale(heads.slice(8), card('patternEntropy')), 'no head has one').toEqual({ kind: 'linear', lo: 0, hi: 1 });
  });
  it('stand in ink that can be read: at least 4.5 : 1 everywhere', () => {
    const light = (css: string): number => { const [r, g, b] = (css.startsWith('#') ? [0, 1, 2].map(i => parseInt(css[i + 1].repeat(2), 16)) : /\d+ \d+ \d+/.exec(css)![0].split(' ').map(Number)).map(c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    for (let i = 0; i <= 100; i++) {
      const { ground, ink } = cellColors({ kind: 'linear', lo: 0, hi: 1 }, i / 100), [a, b] = [light(ground), light(ink)].sort((x, y) => y - x);
      expect((a + 0.05) / (b + 0.05)).toBeGreaterThanOrEqual(4.5);
    }
  });
});

describe('ranking', () => {
  it('is by the number, ties by place, without heads that have none', () => {
    expect(labels(rank(heads, card('sink')).map(one => one.entry))).toEqual(['L0H1', 'L1H2', 'L0H2', 'L0H3', 'L1H1', 'L1H0', 'L0H0', 'L1H3']);
    expect(labels(rank(heads, card('sink'), true).map(one => one.entry)).slice(0, 2)).toEqual(['L1H3', 'L0H0']);
    expect(meanOf(heads.slice(0, 4), card('sink'))).toBeCloseTo(0.5);
    expect(meanOf(heads.slice(8), card('sink'))).toBeUndefined();
  });
});

describe('the filter', () => {
  const passed = (text: string, list = heads): string[] => { const filter = parseFilter(text, metricCards); if ('problem' in filter) throw new Error(filter.problem); return labels(list.filter(filter.matches)); };
  const problem = (text: string): string => { const filter = parseFilter(text, metricCards); return 'problem' in filter ? filter.problem : ''; };
  it.each<readonly [string, readonly string[]]>([
    ['L0', ['L0H0', 'L0H1', 'L0H2', 'L0H3']],
    ['layer 0 head 1', ['L0H1']],
    ['L1H2, 0.3', ['L0H3', 'L1H2']],
    ['l1.h2 or L0 H0', ['L0H0', 'L1H2']],
    ['L1-2 H0', ['L1H0', 'L2H0']],
    ['L0H1-2', ['L0H1', 'L0H2']],
    ['heads 2..3 layers 0–1', ['L0H2', 'L0H3', 'L1H2', 'L1H3']],
    ['sink > 0.5', ['L0H1', 'L1H2']],
    ['sink ≥ 50%', ['L0H1', 'L0H2', 'L0H3', 'L1H2']],
    ['L1 and sink<.25', ['L1H0', 'L1H3']],
    ['first-token share > 0.8, entropy <= 1', ['L0H0', 'L0H1', 'L1H0']],
    ['not L0 sink > 0.25', ['L1H1', 'L1H2']],
    ['!sink>0.1', ['L0H0', 'L1H3']],
    ['L1 kv 1', ['L1H2', 'L1H3']],
    ['  ', labels(heads)],
    ['L7', []],
  ])('%s', (text, expected) => expect(passed(text)).toEqual(expected));
  it('knows stacks and kinds', () => {
    expect(passed('encoder', seq2seq)).toEqual(['encoder.L0H0', 'encoder.L0H1']);
    expect(passed('cross', seq2seq)).toEqual(['decoder.cross.L0H0', 'decoder.cross.L0H1']);
    expect(passed('decoder self H0', seq2seq)).toEqual(['decoder.L0H0']);
    expect(passed('decoder.cross.L0H1', seq2seq)).toEqual(['decoder.cross.L0H1']);
    expect(passed('decoder.L0', seq2seq)).toEqual(['decoder.L0H0', 'decoder.L0H1', 'decoder.cross.L0H0', 'decoder.cross.L0H1']);
    expect(passed('self > 0.5', seq2seq)).toEqual([]);
    expect(passed('prev > 0.5', seq2seq)).toEqual(['encoder.L0H0', 'decoder.L0H0']);
  });
  it('a number that is missing passes neither a comparison nor its opposite', () => {
    expect(passed('L2 sink > 0')).toEqual([]);
    expect(passed('L2 not sink > 0')).toEqual([]);
  });
  it('finds a metric by name, title, or a beginning that only it has', () => {
    expect(['sink', 'Sink position', 'prev', 'previous token', 'induction', 'max', 'dist', 'self'].map(text => findMetric(text, metricCards)?.name)).toEqual(['sink', 'sinkKey', 'prevTokenScore', 'prevTokenScore', 'inductionScore', 'maxProb', undefined, 'selfAttentionScore']);
    expect(findMetric('s', metricCards)).toBeUndefined();
  });
  it('says what it does not understand, and how to write it', () => {
    expect(problem('snk > 0.5')).toMatch(/^“snk” names no layer, head or metric: write L3, H1, L3H1 or sink > 0\.5\. Metrics are .*entropy/);
    expect(problem('sink')).toBe('sink needs a comparison, as sink > 0.5.');
    expect(problem('L3 entropy >')).toBe('entropy > needs a number, as entropy > 1.');
    expect(problem('L3x')).toMatch(/^“L3x” names no layer/);
    expect(problem('sink > 0.5 %%%')).toMatch(/^“%%%?” names no layer/);
    expect(problem('a'.repeat(201))).toBe('A filter must be at most 200 characters long.');
  });
  it('ends on anything that can be typed', () => {
    const letters = 'LlHh0123456789.,;|&!-–<>=≥≤%  orandtsinkcrkve\t"\\(';
    let state = 7;
    for (let n = 0; n < 3000; n++) {
      const text = Array.from({ length: n % 200 }, () => letters[(state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % letters.length]).join(''), filter = parseFilter(text, metricCards);
      if ('matches' in filter) expect(typeof filter.matches(heads[n % 12])).toBe('boolean'); else expect(filter.problem).toMatch(/\.$/);
    }
  });
});

describe('rows', () => {
  const rows = (more: Partial<RowsOf>, list = heads): ReturnType<typeof headRows> => headRows(list, { order: 'layers', lowest: false, grouped: false, card: card('sink'), matches: () => true, columns: 3, ...more });
  const shape = (sections: ReturnType<typeof headRows>): string[] => sections.flatMap(section => section.rows.map(row => `${row.label}: ${row.cells.map(cell => cell.faint ? `(${cell.entry.head})` : cell.entry.head).join(' ')}`));
  it('layers down, heads across; what the filter passes over keeps its place, and layers without any go', () => {
    expect(shape(rows({}))).toEqual(['L0: 0 1 2 3', 'L1: 0 1 2 3', 'L2: 0 1 2 3']);
    expect(shape(rows({ matches: entry => entry.stats!.sink > 0.5 && !entry.failed }))).toEqual(['L0: (0) 1 (2) (3)', 'L1: (0) (1) 2 (3)']);
    expect(rows({ matches: () => false })).toEqual([]);
  });
  it('each layer by the metric, without those that do not pass', () => {
    expect(shape(rows({ order: 'within' }))).toEqual(['L0: 1 2 3 0', 'L1: 2 1 0 3', 'L2: 0 1 2 3']);
    expect(shape(rows({ order: 'within', lowest: true, matches: entry => entry.head > 0 }))).toEqual(['L0: 2 3 1', 'L1: 3 1 2', 'L2: 1 2 3']);
  });
  it('all heads by the metric, so many in a row; failed ones last', () => {
    const [section] = rows({ order: 'all' });
    expect(section.rows.map(row => `${row.label}: ${labels(row.cells.map(cell => cell.entry))}`)).toEqual(['1–3: L0H1,L1H2,L0H2', '4–6: L0H3,L1H1,L1H0', '7–9: L0H0,L1H3,L2H0', '10–12: L2H1,L2H2,L2H3']);
  });
  it('query heads under the key/value head that they share, with its mean', () => {
    const sections = rows({ grouped: true });
    expect(shape(sections)).toEqual(['L0: 0 1 2 3', 'L1: 0 1 2 3', 'L2: 0 1 2 3']);
    expect(sections[0].rows[0].groups).toEqual([]);
    expect(sections[0].rows[1].groups.map(({ kv, from, count }) => ({ kv, from, count }))).toEqual([{ kv: 0, from: 0, count: 2 }, { kv: 1, from: 2, count: 2 }]);
    expect(sections[0].rows[1].groups.map(group => group.mean)).toEqual([expect.closeTo(0.25), expect.closeTo(0.425)]);
    const within = rows({ grouped: true, order: 'within' })[0].rows[1];
    expect(within.groups.map(group => group.kv)).toEqual([1, 0]);
    expect(within.cells.map(cell => cell.entry.head)).toEqual([2, 3, 1, 0]);
    expect(rows({ grouped: true, order: 'all' })[0].rows.map(row => row.label)).toEqual(['L0', 'L1 kv1', 'L1 kv0', 'L2']);
  });
  it('stacks and kinds have sections of their own, where there are several', () => {
    expect(rows({}, seq2seq).map(section => `${section.title}: ${section.rows.map(row => row.label)}`)).toEqual(['Encoder self-attention: L0', 'Decoder self-attention: L0', 'Decoder cross-attention: L0']);
    expect(rows({ matches: entry => entry.site.kind === 'cross' }, seq2seq).map(section => section.title)).toEqual(['Decoder cross-attention']);
    expect(rows({})[0].title).toBeUndefined();
  });
  it.each<HeadOrder>(['layers', 'within', 'all'])('order %s shows every head exactly once, in 1 × 1 and in 48 × 64', order => {
    for (const [layers, count] of [[1, 1], [48, 64]] as const) {
      const many = headEntries({ sites: Array.from({ length: layers }, (_, layer) => site(`blocks.${layer}.attn`, { layer, heads: count, kvHeads: Math.max(1, count / 8) })), heads: {}, parity: {} }, 0);
      for (const grouped of [false, true]) {
        const shown = rows({ order, grouped, columns: 11 }, many).flatMap(section => section.rows.flatMap(row => row.cells.map(cell => cell.entry.label)));
        expect(shown).toHaveLength(layers * count);
        expect(new Set(shown).size).toBe(layers * count);
      }
    }
  });
  it('the keyboard goes from head to head, over faint ones and shorter rows, and stops at the edges', () => {
    const all = rows({ matches: entry => entry.head !== 1 && entry.label !== 'L1H3' }).flatMap(section => section.rows);
    expect(moveIn(all, { row: 0, col: 0 }, 'ArrowRight')).toEqual({ row: 0, col: 2 });
    expect(moveIn(all, { row: 0, col: 2 }, 'ArrowLeft')).toEqual({ row: 0, col: 0 });
    expect(moveIn(all, { row: 0, col: 3 }, 'ArrowRight')).toBeUndefined();
    expect(moveIn(all, { row: 0, col: 3 }, 'ArrowDown')).toEqual({ row: 1, col: 2 });
    expect(moveIn(all, { row: 0, col: 0 }, 'ArrowUp')).toBeUndefined();
    expect(moveIn(all, { row: 0, col: 3 }, 'PageDown')).toEqual({ row: 2, col: 3 });
    expect(moveIn(all, { row: 2, col: 0 }, 'PageUp')).toEqual({ row: 0, col: 0 });
    expect(moveIn(all, { row: 1, col: 0 }, 'End')).toEqual({ row: 1, col: 2 });
    expect(moveIn(all, { row: 1, col: 2 }, 'Home')).toEqual({ row: 1, col: 0 });
    expect(moveIn(all, { row: 1, col: 2 }, 'End', true)).toEqual({ row: 2, col: 3 });
    expect(moveIn(all, { row: 1, col: 2 }, 'Home', true)).toEqual({ row: 0, col: 0 });
    expect(moveIn(all, { row: 1, col: 2 }, 'a')).toBeUndefined();
    expect(moveIn(all.slice(0, 1), { row: 0, col: 0 }, 'PageDown')).toBeUndefined();
  });
});

describe('room', () => {
  it('colored cells have numbers where there is room, and never go under 22 pixels', () => {
    const room = { label: 44, gaps: 0, heads: 8 };
    expect(heatSize({ ...room, width: 900 })).toMatchObject({ step: 56, small: false });
    expect(heatSize({ ...room, heads: 32, width: 900 })).toMatchObject({ step: 26, small: true });
    expect(heatSize({ ...room, heads: 64, width: 600 }).step).toBe(22);
  });
  it('the ranked list stands beside the grid only where that does not make it scroll', () => {
    expect(fitsBeside({ width: 1000, label: 44, gaps: 0, heads: 8 }, 284, false)).toBe(true);
    expect(fitsBeside({ width: 1000, label: 44, gaps: 0, heads: 32 }, 284, false)).toBe(false);
    expect(fitsBeside({ width: 1100, label: 44, gaps: 0, heads: 32 }, 284, true)).toBe(true);
    expect(fitsBeside({ width: 700, label: 44, gaps: 0, heads: 1 }, 284, true)).toBe(false);
    expect(columnsFor(10, 44, false)).toBe(1);
  });
  it('groups stand apart', () => {
    expect(cellLefts(4, 30, [0, 2])).toEqual([0, 30, 60 + groupGap, 90 + groupGap]);
    expect(cellLefts(3, 30, [])).toEqual([0, 30, 60]);
  });
});

describe('what is kept of the arrangement', () => {
  it('comes back as it was', () => {
    const whole = { show: 'heat', metric: 'prevTokenScore', order: 'all', lowest: true, grouped: true, filter: 'L3, sink > 0.5' };
    expect(restoreOverview(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
  });
  it.each([null, 7, 'x', {}, { show: 3, metric: {}, order: 'up', lowest: 'yes', grouped: 1, filter: ['L3'] }, { metric: 'm'.repeat(65) }])('falls back from %o', kept => expect(restoreOverview(kept)).toEqual(plainOverview));
  it('cuts a filter that is too long', () => expect(restoreOverview({ filter: 'a'.repeat(1e6) }).filter).toHaveLength(200));
});
