/** How images are laid out in tokens, against transformers' own functions: sizes, grids, counts and the order of patches; and the pixels that cells cover. */
import { describe, expect, it } from 'vitest';
import { cellOfKey, cellRectangle, onBox, placeOfQuery, sameCell, siteGrid } from '../../extension/contract/image-grid.ts';
import { anyresLayout, bestCanvas, pasted, unpadded } from '../../extension/engine/images/layouts/anyres.ts';
import { placeViews, tokensOf, type ImageLayout } from '../../extension/engine/images/layouts/layout.ts';
import { mergedLayout, smartResize } from '../../extension/engine/images/layouts/merged-patches.ts';
import { encoderSize, splitLayout } from '../../extension/engine/images/layouts/split-tiles.ts';
import { goldenCases, type GoldenCase } from './cases.ts';

const every = goldenCases('grounding-maps'), of = (prefix: string): readonly GoldenCase[] => every.filter(({ name }) => name.startsWith(`grounding-maps/${prefix}`));
const rowsOf = ({ tensors }: GoldenCase, tensor = 'rows'): number[][] => { const { data, shape: [count, width] } = tensors.get(tensor)!; return Array.from({ length: count }, (_, n) => Array.from(data.subarray(n * width, (n + 1) * width))); };
it('has cases, unless others are selected', () => expect(every.length > 0 || process.env['ATTNSCOPE_ONLY'] !== undefined).toBe(true));

/** Every token with the image's id is a cell of one view, each cell has one token, and cells tile the box. */
function whole(layout: ImageLayout, image: { readonly width: number; readonly height: number }): void {
  const first = 7, views = placeViews(layout, Array.from({ length: tokensOf(layout) }, (_, n) => first + n)), taken = new Set<number>();
  for (const { rows, columns, runs, box } of views) {
    const positions = runs.flatMap(([from, to]) => Array.from({ length: to - from }, (_, n) => from + n));
    expect(positions).toHaveLength(rows * columns);
    for (const position of positions) { expect(taken.has(position)).toBe(false); taken.add(position); }
    const at = (cell: number) => cellRectangle(onBox(image, { rows, columns }, box), { rows, columns }, cell), last = at(rows * columns - 1);
    [at(0).left, at(0).top, last.right, last.bottom].forEach((side, n) => expect(side).toBeCloseTo(box[n], 6));
    if (columns > 1) expect(at(0).right).toBeCloseTo(at(1).left, 6);
    // What was padded or cut off is at most the patch that an edge falls into.
    const cell = Math.max(at(0).right - at(0).left, at(0).bottom - at(0).top) + 2;
    box.forEach((side, n) => expect(Math.abs(side - [0, 0, image.width, image.height][n])).toBeLessThanOrEqual(cell));
  }
}

describe.each(of('qwen2vl_smart_resize').flatMap(golden => rowsOf(golden).map(row => [row.slice(0, 2).join(' × '), row] as const)))('Qwen2-VL, %s', (_, [height, width, minPixels, maxPixels, toHeight, toWidth, rows, columns, tokens]) => {
  it('size, grid and tokens', () => {
    const fed = smartResize({ width, height }, { patch: 14, merge: 2, minPixels, maxPixels }), layout = mergedLayout({ width, height }, { patch: 14, merge: 2 }, { rows: fed.height / 14, columns: fed.width / 14 });
    expect([fed.height, fed.width, fed.height / 14, fed.width / 14, tokensOf(layout)]).toEqual([toHeight, toWidth, rows, columns, tokens]);
    whole(layout, { width, height });
  });
});

it.each(of('qwen2vl_patch_order').map(golden => [golden.name, golden] as const))('%s: rows of pixel_values, and the patches of a token', (_, golden) => {
  const [rows, columns] = golden.metadata['grid_hw'].split(',').map(Number), grid = siteGrid({ rows, columns, merge: 2 }, { queries: rows * columns, keys: rows * columns, samples: 1, shifted: false })!, order = Array.from({ length: rows * columns }, (_, position) => cellOfKey(grid, 0, position));
  expect(order).toEqual(Array.from(golden.tensors.get('patch_index_of_row')!.data));
  order.forEach((cell, position) => expect(placeOfQuery(grid, cell!)).toEqual({ sample: 0, position }));
  // A token is four rows that follow each other, and its cell is the raster cell of the merged grid.
  rowsOf(golden, 'patches_of_llm_token').forEach((patches, token) => {
    expect(order.slice(4 * token, 4 * token + 4)).toEqual(patches);
    expect(new Set(patches.map(patch => sameCell({ rows, columns }, patch, { rows: rows / 2, columns: columns / 2 })))).toEqual(new Set([token]));
  });
});

describe.each(of('llava_next_grid').flatMap(golden => rowsOf(golden).map(row => [row.slice(0, 2).join(' × '), JSON.parse(golden.metadata['pinpoints']) as [number, number][], row] as const)))('LLaVA-NeXT, %s', (_, pinpoints, [height, width, bestHeight, bestWidth, tilesDown, tilesAcross, rows, columns, tokens, fromProcessor]) => {
  const image = { width, height }, canvas = bestCanvas(image, pinpoints), layout = anyresLayout(image, { pinpoints, side: 336, patch: 14, extra: 0 });
  it('canvas, tiles, what is left of them, and tokens', () => {
    const fine = unpadded(image, { rows: 24 * tilesDown, columns: 24 * tilesAcross });
    expect([canvas.height, canvas.width, canvas.height / 336, canvas.width / 336, fine.rows, fine.columns, tokensOf(layout), tokensOf(layout)]).toEqual([bestHeight, bestWidth, tilesDown, tilesAcross, rows, columns, tokens, fromProcessor]);
    whole(layout, image);
  });
  it('newlines are no cells, and the middle of the image is the middle of its pasted copy', () => {
    const views = placeViews(layout, Array.from({ length: tokens }, (_, n) => n)), [tiles, base] = views, there = pasted(image, canvas), fine = unpadded(image, { rows: 24 * tilesDown, columns: 24 * tilesAcross });
    expect(base.runs).toEqual([[0, 576]]);
    expect(tiles.runs).toEqual(Array.from({ length: rows }, (_, r) => [576 + r * (columns + 1), 576 + r * (columns + 1) + columns]));
    // The card's rule, a patch at a time: to the canvas, to the pasted copy, to the image.
    for (const [r, c] of [[0, 0], [Math.floor(rows / 2), Math.floor(columns / 2)], [rows - 1, columns - 1]]) {
      const cell = cellRectangle(onBox(image, tiles, tiles.box), tiles, r * columns + c);
      expect(cell.left).toBeCloseTo(((c + fine.column) * 14 - there.left) * width / there.width, 6);
      expect(cell.bottom).toBeCloseTo(((r + 1 + fine.row) * 14 - there.top) * height / there.height, 6);
    }
  });
});

describe.each(of('idefics3_tiling').flatMap(golden => rowsOf(golden).map(row => [`${row.slice(0, 2).join(' × ')} to ${row[2]}`, row] as const)))('Idefics3, %s', (_, [height, width, longest, tile, inTile, resizedHeight, resizedWidth, encoderHeight, encoderWidth, down, across, tokens]) => {
  const image = { width, height }, cells = Math.sqrt(inTile), layout = splitLayout(image, { longest, tile, cells, split: true });
  it('sizes, tiles and tokens', () => {
    const { resized, encoder } = encoderSize(image, { longest, tile });
    expect([resized.height, resized.width, encoder.height, encoder.width, tokensOf(layout)]).toEqual([resizedHeight, resizedWidth, encoderHeight, encoderWidth, tokens]);
    expect(layout.views.map(view => [view.name, view.rows, view.columns])).toEqual(down ? [['tiles', down * cells, across * cells], ['whole', cells, cells]] : [['image', cells, cells]]);
    whole(layout, image);
  });
  it('tokens go tile by tile, row by row inside of one', () => {
    // As the prompt has them: two tokens of their own before each tile, a line break behind each row of tiles, two before the whole.
    const positions: number[] = [], tileOf: number[] = [];
    let at = 3;
    for (let r = 0; r < down; r++) { for (let c = 0; c < across; c++) { at += 2; for (let n = 0; n < inTile; n++, at++) { positions.push(at); tileOf.push(r * across + c); } } at++; }
    at += 2;
    for (let n = 0; n < inTile; n++, at++) { positions.push(at); tileOf.push(-1); }
    const views = placeViews(layout, positions);
    if (!down) { expect(views[0].runs).toEqual([[positions[0], positions[0] + inTile]]); return; }
    const flat = views[0].runs.flatMap(([from, to]) => Array.from({ length: to - from }, (_, n) => from + n)), columns = across * cells;
    flat.forEach((position, cell) => {
      const row = Math.floor(cell / columns), column = cell % columns, tile = Math.floor(row / cells) * across + Math.floor(column / cells), n = positions.indexOf(position);
      expect(tileOf[n]).toBe(tile);
      expect(n - tile * inTile).toBe(row % cells * cells + column % cells);
    });
    // The card: a cell of a tile is tile / cells pixels of the squashed image.
    const cell = cellRectangle(onBox(image, views[0], views[0].box), views[0], flat.length - 1);
    expect(cell.left).toBeCloseTo(((across - 1) * tile + (cells - 1) * tile / cells) * width / encoderWidth, 6);
    expect(views[1].runs).toEqual([[at - inTile, at]]);
  });
});

it.each(of('idefics3_pixel_shuffle').map(golden => [golden.name, golden] as const))('%s: tokens are raster blocks of patches', (_, golden) => {
  const factor = Number(golden.metadata['scale_factor']), side = Number(golden.metadata['grid'].split('x')[0]);
  rowsOf(golden, 'patches_of_token').forEach((patches, token) => patches.forEach(patch => expect(sameCell({ rows: side, columns: side }, patch, { rows: side / factor, columns: side / factor })).toBe(token)));
});
