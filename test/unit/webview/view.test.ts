/** Where a map lies under its window, which tiles that needs, and which labels fit beside it. */
import { describe, expect, it } from 'vitest';
import { axisLabels, cut, labelStep, rulerText, withFocus } from '../../../webview/marks/axis.ts';
import { gridSize, thumbnailTexels } from '../../../webview/marks/grid.ts';
import { isAllMasked, levelFor, overlap, tileCells, tileSpan, tileTexels, tilesFor, topLevel } from '../../../webview/marks/tiles.ts';
import { bringIn, cellAt, centreOn, clamp, fit, pan, visible, zoomAbout } from '../../../webview/marks/view.ts';

const size = { width: 600, height: 400 };
const extent = { rows: 1000, cols: 1000 };

describe('the view', () => {
  it('fits the whole map, and does not blow up a small one', () => {
    expect(fit(extent, size)).toEqual({ row: 0, col: 0, cell: 0.4 });
    expect(fit({ rows: 5, cols: 5 }, size).cell).toBe(40);
    expect(fit({ rows: 0, cols: 0 }, { width: 0, height: 0 }).cell).toBeGreaterThan(0);
  });
  it('keeps the spot under the pointer when it zooms', () => {
    // The map fills this window at every zoom, so no edge moves it.
    const square = { width: 400, height: 400 };
    let view = fit(extent, square);
    for (const factor of [1.7, 3, 2, 0.6, 5]) {
      const before = { row: view.row + 150 / view.cell, col: view.col + 220 / view.cell };
      view = zoomAbout(view, 220, 150, factor, extent, square);
      expect(view.row + 150 / view.cell).toBeCloseTo(before.row, 6);
      expect(view.col + 220 / view.cell).toBeCloseTo(before.col, 6);
    }
  });
  it('never zooms out beyond the fitted map nor in beyond 96 pixels a cell', () => {
    const fitted = fit(extent, size);
    expect(zoomAbout(fitted, 10, 10, 0.01, extent, size)).toEqual(fitted);
    expect(zoomAbout(fitted, 10, 10, 1e9, extent, size).cell).toBe(96);
  });
  it('drags with the pointer and stops at the edges', () => {
    const view = { row: 100, col: 100, cell: 10 };
    expect(pan(view, 30, -50, extent, size)).toEqual({ row: 105, col: 97, cell: 10 });
    expect(pan(view, 1e6, 1e6, extent, size)).toEqual({ row: 0, col: 0, cell: 10 });
    expect(pan(view, -1e6, -1e6, extent, size)).toEqual({ row: 960, col: 940, cell: 10 });
  });
  it('finds the cell under a point, and none beside the map', () => {
    const view = { row: 2.5, col: 0, cell: 10 };
    expect(cellAt(view, 0, 0, { rows: 5, cols: 5 })).toEqual({ row: 2, col: 0 });
    expect(cellAt(view, 49.9, 24.9, { rows: 5, cols: 5 })).toEqual({ row: 4, col: 4 });
    expect(cellAt(view, 50, 0, { rows: 5, cols: 5 })).toBeUndefined();
    expect(cellAt(view, 0, 25, { rows: 5, cols: 5 })).toBeUndefined();
    expect(cellAt(view, -1, 0, { rows: 5, cols: 5 })).toBeUndefined();
  });
  it('sees every cell of which any part is in the window', () => {
    expect(visible({ row: 2.5, col: 0, cell: 100 }, extent, size)).toEqual({ rows: [2, 7], cols: [0, 6] });
    expect(visible(fit(extent, size), extent, size)).toEqual({ rows: [0, 1000], cols: [0, 1000] });
  });
  it('scrolls as little as needed to a cell, or to the middle', () => {
    const view = { row: 100, col: 100, cell: 10 };
    expect(bringIn(view, { row: 120, col: 120 }, extent, size)).toEqual(view);
    expect(bringIn(view, { row: 140, col: 99 }, extent, size)).toEqual({ row: 101, col: 99, cell: 10 });
    expect(centreOn(view, { row: 500, col: 500 }, extent, size)).toEqual({ row: 480.5, col: 470.5, cell: 10 });
    expect(clamp({ row: -5, col: 5000, cell: 10 }, extent, size)).toEqual({ row: 0, col: 940, cell: 10 });
  });
});

describe('tiles', () => {
  it('pools as far as a texel keeps a device pixel, and no further', () => {
    expect(levelFor({ row: 0, col: 0, cell: 8 }, 1)).toBe(0);
    expect(levelFor({ row: 0, col: 0, cell: 1 }, 1)).toBe(0);
    expect(levelFor({ row: 0, col: 0, cell: 0.5 }, 1)).toBe(1);
    expect(levelFor({ row: 0, col: 0, cell: 0.5 }, 2)).toBe(0);
    expect(levelFor({ row: 0, col: 0, cell: 0.3 }, 1)).toBe(2);
    expect(topLevel({ rows: 256, cols: 256 })).toBe(0);
    expect(topLevel({ rows: 257, cols: 1 })).toBe(1);
    expect(topLevel({ rows: 32768, cols: 32768 })).toBe(7);
  });
  it.each([{ cell: 0.02, at: 0 }, { cell: 0.4, at: 300 }, { cell: 3, at: 17000 }, { cell: 40, at: 31000 }])('covers every visible cell exactly once at %o', ({ cell, at }) => {
    const huge = { rows: 32768, cols: 30001 }, view = clamp({ row: at, col: at, cell }, huge, size), { rows, cols } = visible(view, huge, size);
    const spans = tilesFor(view, huge, size, 1).map(key => tileSpan(key, huge));
    for (const row of [rows[0], rows[1] - 1, Math.floor((rows[0] + rows[1]) / 2)]) {
      for (const col of [cols[0], cols[1] - 1, Math.floor((cols[0] + cols[1]) / 2)]) {
        expect(spans.filter(span => row >= span.rows[0] && row < span.rows[1] && col >= span.cols[0] && col < span.cols[1])).toHaveLength(1);
      }
    }
    for (const span of spans) expect(Math.max(span.height, span.width)).toBeLessThanOrEqual(tileTexels);
    for (const span of spans) expect((span.rows[1] - span.rows[0]) * (span.cols[1] - span.cols[0])).toBeLessThanOrEqual(tileCells ** 2);
    // The whole of a long map is many squares, each quickly computed; of what is pooled less, the window holds few.
    expect(spans.length).toBeLessThanOrEqual(cell < 0.0625 ? 64 : 30);
  });
  it('asks for the middle of the window first', () => {
    const keys = tilesFor({ row: 0, col: 0, cell: 0.5 }, { rows: 4096, cols: 4096 }, { width: 1500, height: 1500 }, 2);
    expect(keys[0].row).toBeGreaterThan(0);
    expect(keys[0].row).toBeLessThan(11);
    const away = (key: { row: number; col: number }): number => Math.hypot(key.row - 5.36, key.col - 5.36);
    expect(away(keys[0])).toBeLessThan(away(keys[keys.length - 1]));
  });
  it('at every level the texels of a whole tile divide its cells, and the next level\'s tiles begin where its own do', () => {
    const huge = { rows: 65_536, cols: 65_536 };
    for (let level = 0; level <= topLevel(huge); level++) {
      const { rows, height } = tileSpan({ level, row: 1, col: 1 }, huge), coarser = tileSpan({ level: level + 1, row: 1, col: 1 }, huge);
      expect((rows[1] - rows[0]) / height).toBe(2 ** level);
      expect(coarser.rows[0] % rows[0]).toBe(0);
    }
  });
  it('tells rectangles that have cells in common', () => {
    const at = (row: number, col: number) => ({ rows: [row, row + 10] as const, cols: [col, col + 10] as const });
    expect([overlap(at(0, 0), at(9, 9)), overlap(at(0, 0), at(10, 0)), overlap(at(0, 0), at(0, 10)), overlap(at(5, 5), at(0, 0))]).toEqual([true, false, false, true]);
  });
  it('cuts the last tile at the edge and rounds its texels up', () => {
    expect(tileSpan({ level: 1, row: 1, col: 0 }, { rows: 701, cols: 100 })).toEqual({ rows: [512, 701], cols: [0, 100], height: 95, width: 50 });
  });
  it('knows a tile that the causal rule hides whole', () => {
    const span = (row: number, col: number) => tileSpan({ level: 0, row, col }, { rows: 1024, cols: 1024 });
    expect(isAllMasked(span(0, 1), 0)).toBe(true);
    expect(isAllMasked(span(0, 1), 1)).toBe(false); // key 256 is visible to query 255
    expect(isAllMasked(span(1, 1), 0)).toBe(false);
    expect(isAllMasked(span(0, 3), undefined)).toBe(false);
  });
});

describe('axis labels', () => {
  it('thins to 1, 2, 5, 10 …', () => {
    expect([20, 13, 7, 3, 1.4, 0.5].map(cell => labelStep(cell, 13))).toEqual([1, 1, 2, 5, 10, 50]);
  });
  it('keeps labels on their tokens while the map is dragged', () => {
    const at = (first: number) => axisLabels(100, first, 4, 80, 13).map(label => label.index);
    expect(at(0)).toEqual([0, 5, 10, 15]);
    expect(at(3)).toEqual([5, 10, 15, 20]);
    for (const { index, at: pixel } of axisLabels(100, 3, 4, 80, 13)) expect(pixel).toBe((index + 0.5 - 3) * 4);
  });
  it('gives the focused token a label in place of its neighbours', () => {
    const labels = withFocus(axisLabels(100, 0, 4, 80, 13), { index: 6, at: 26 }, 13);
    expect(labels.map(label => label.index)).toEqual([0, 10, 15, 6]);
    expect(withFocus(labels, undefined, 13)).toBe(labels);
  });
  it('cuts letters, not code units, to the room there is', () => {
    const measure = (text: string): number => [...text].length;
    expect(cut('hello', 5, measure)).toBe('hello');
    expect(cut('hello world', 6, measure)).toBe('hello…');
    expect(cut('👩🎉👋🙂', 3, measure)).toBe('👩🎉…');
    expect(cut('hello', 1, measure)).toBe('');
  });
});

describe('the grid of heads', () => {
  it('shows 8 or 16 heads large, 32 small without scrolling, and never under 24 pixels', () => {
    const size = (heads: number, width: number, gaps = 0) => gridSize({ heads, width, gaps, label: 44 });
    expect(size(8, 900)).toEqual({ thumb: 68, step: 84, inset: 8, small: false });
    expect(size(16, 1300)).toMatchObject({ small: false });
    const small = size(32, 1300);
    expect(small.small).toBe(true);
    expect(small.step * 32).toBeLessThanOrEqual(1300 - 44);
    expect(size(32, 1300, 7).step * 32 + 7 * 12).toBeLessThanOrEqual(1300 - 44);
    expect(size(64, 900).thumb).toBe(24);
    for (const heads of [1, 9, 12, 30, 64]) for (const width of [300, 900, 1400]) { const { thumb, step, inset } = size(heads, width); expect(step).toBe(thumb + 2 * inset); }
  });
  it('takes one head out of the batch, only bins that hold anything, and hides what no query sees', () => {
    const data = Float32Array.from({ length: 2 * 3 * 16 }, (_, i) => i), at = { batch: 1, head: 2, heads: 3, size: 4 };
    expect([...thumbnailTexels(data, at, { queries: 2, keys: 2 }, false).data]).toEqual([80, 81, 84, 85]);
    expect(thumbnailTexels(data, at, { queries: 100, keys: 100 }, true)).toMatchObject({ rows: 4, cols: 4, most: 95 });
    expect([...thumbnailTexels(data, at, { queries: 2, keys: 2 }, true).data]).toEqual([80, NaN, 84, 85]);
  });
  it('hides bins that hold nothing but padding, on both axes, and only those', () => {
    const data = Float32Array.from({ length: 16 }, (_, i) => i + 1), at = { batch: 0, head: 0, heads: 1, size: 4 };
    expect([...thumbnailTexels(data, at, { queries: 3, keys: 3 }, false, [0, 1, 1]).data]).toEqual([NaN, NaN, NaN, NaN, 6, 7, NaN, 10, 11]);
    // Eight positions in four bins: the first bin is padding alone, the second half of it.
    expect([...thumbnailTexels(data, at, { queries: 8, keys: 8 }, true, [0, 0, 0, 1, 1, 1, 1, 1]).data]).toEqual([NaN, NaN, NaN, NaN, NaN, 6, NaN, NaN, NaN, 10, 11, NaN, NaN, 14, 15, 16]);
    expect(thumbnailTexels(data, at, { queries: 8, keys: 8 }, true, [1, 1, 1, 1, 1, 1, 1, 1]).data[0]).toBe(1);
  });
});

describe('the ruler', () => {
  it('writes tokens while they are near each other, and positions with them where they are not', () => {
    expect(rulerText('mill', 12_000, 20)).toBe('mill');
    expect(rulerText('mill', 12_000, 1000)).toBe('12,000 mill');
    expect(rulerText('#12000', 12_000, 1000)).toBe('12,000');
  });
});
