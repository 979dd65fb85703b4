/** Cells of attention sites on an image: shifted windows against a roll of the grid, coarser stages, and rectangles through resize and crop. */
import { describe, expect, it } from 'vitest';
import { cellOfKey, cellRectangle, placeOfQuery, sameCell, siteGrid } from '../../../extension/contract/image-grid.ts';

describe('grids of sites', () => {
  it('finds patches with CLS and registers, coarser stages and reduced keys', () => {
    const patches = { rows: 16, columns: 16 }, shape = (queries: number, keys: number) => ({ queries, keys, samples: 1, shifted: false });
    expect(siteGrid(patches, shape(257, 257))?.queries).toEqual({ rows: 16, columns: 16, extra: 1 });
    expect(siteGrid(patches, shape(261, 261))?.keys.extra).toBe(5);
    expect(siteGrid(patches, shape(256, 4))).toEqual({ queries: { rows: 16, columns: 16, extra: 0 }, keys: { rows: 2, columns: 2, extra: 0 } });
    expect(siteGrid(patches, shape(64, 64))?.queries).toEqual({ rows: 8, columns: 8, extra: 0 });
    expect(siteGrid({ rows: 12, columns: 20 }, shape(60, 15))).toEqual({ queries: { rows: 6, columns: 10, extra: 0 }, keys: { rows: 3, columns: 5, extra: 0 } });
    expect(siteGrid(patches, shape(77, 77))).toBeUndefined();
  });

  // As Swin does it: padded, rolled by −shift both ways, cut into windows.
  it.each([[8, 8, 4, true], [8, 8, 4, false], [7, 10, 4, true], [9, 6, 3, false], [14, 14, 7, true]])('%i × %i in windows of %i, shifted: %s', (rows, columns, side, shifted) => {
    const down = Math.ceil(rows / side), across = Math.ceil(columns / side), height = down * side, width = across * side, shift = shifted ? Math.floor(side / 2) : 0;
    const padded = Array.from({ length: height }, (_, r) => Array.from({ length: width }, (_, c) => (r < rows && c < columns ? r * columns + c : undefined)));
    const rolled = padded.map((_, r) => padded[0].map((_, c) => padded[(r + shift) % height][(c + shift) % width]));
    const windows = Array.from({ length: down * across }, (_, w) => Array.from({ length: side * side }, (_, p) => rolled[Math.floor(w / across) * side + Math.floor(p / side)][w % across * side + p % side]));
    const grid = siteGrid({ rows, columns }, { queries: side * side, keys: side * side, samples: down * across, shifted })!;
    windows.forEach((window, w) => window.forEach((cell, p) => {
      expect(cellOfKey(grid, w, p)).toBe(cell);
      if (cell !== undefined) expect(placeOfQuery(grid, cell)).toEqual({ sample: w, position: p });
    }));
  });

  it('a patch belongs to the coarse cell that its middle lies in', () => {
    expect(sameCell({ rows: 8, columns: 8 }, 8 * 5 + 6, { rows: 4, columns: 4 })).toBe(2 * 4 + 3);
    expect(sameCell({ rows: 2, columns: 2 }, 3, { rows: 8, columns: 8 })).toBe(6 * 8 + 6);
  });
});

describe('rectangles in pixels of the image', () => {
  it('LLaVA 1.5 in crop mode: 640 × 480 to 448 × 336, 56 pixels cut off on both sides', () => {
    const image = { fed: [336, 336], covered: [336, 336], offset: [56, 0], scale: [640 / 448, 480 / 336] } as const, grid = { rows: 24, columns: 24 };
    expect(cellRectangle(image, grid, 0)).toEqual({ left: 80, top: 0, right: 100, bottom: 20 });
    expect(cellRectangle(image, grid, 24 * 24 - 1)).toEqual({ left: 540, top: 460, right: 560, bottom: 480 });
  });
  it('cells tile what was seen without overlap', () => {
    const image = { fed: [20, 30], covered: [20, 30], offset: [-2.5, 4], scale: [1.7, 2.3] } as const, grid = { rows: 4, columns: 5 };
    for (let cell = 0; cell < 20; cell++) {
      const { right, bottom } = cellRectangle(image, grid, cell);
      if (cell % 5 < 4) expect(cellRectangle(image, grid, cell + 1).left).toBeCloseTo(right, 9);
      if (cell < 15) expect(cellRectangle(image, grid, cell + 5).top).toBeCloseTo(bottom, 9);
    }
  });
});
