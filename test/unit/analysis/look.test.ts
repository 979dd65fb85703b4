/** Looks at images that are read in views (merged patches, tiles, squashed copies), and sinks by state: a LLaVA's graphs run with the layouts of others beside them. */
import { closeSync, cpSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LookRequest } from '../../../extension/contract/api.ts';
import { cellRectangle } from '../../../extension/contract/image-grid.ts';
import { completeCapture } from '../../../extension/engine/analysis/complete.ts';
import { summedViews } from '../../../extension/engine/analysis/image-views.ts';
import { look } from '../../../extension/engine/analysis/look.ts';
import { OpenTraces } from '../../../extension/engine/analysis/open-traces.ts';
import { cells, prepare } from '../../../extension/engine/compute/rows.ts';
import { thumbnailPng } from '../../../extension/engine/images/thumbnail.ts';
import { capture } from '../../../extension/engine/run/capture.ts';
import { lookedImage } from '../../../webview/marks/grounding.ts';
import { imageInputs } from '../../fuzz/tiled-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-look-')), root = join(import.meta.dirname, '../../..'), fixtures = join(root, 'test/unit/images/fixtures'), scene = join(fixtures, 'scene.png');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const sites = ['blocks.0.attn', 'blocks.1.attn'], between = async (): Promise<void> => undefined;

let count = 0;
/** The three graphs of the LLaVA, 16 image tokens (id 96), with `config` and `processor` beside them; `grid` is image_grid_thw. */
async function traced(config: object, ids: readonly number[], { processor, grid, image = scene, resid = false }: { readonly processor?: object; readonly grid?: readonly number[]; readonly image?: string; readonly resid?: boolean } = {}) {
  const model = join(folder, `model-${count}`), inputs = join(folder, `${count}.safetensors`), out = join(folder, `${count++}.attntrace`);
  cpSync(join(root, 'test/zoo/folders/llava_multi'), model, { recursive: true });
  writeFileSync(join(model, 'config.json'), JSON.stringify({ image_token_id: 96, text_config: { vocab_size: 97, max_position_embeddings: 128 }, ...config }));
  if (processor) writeFileSync(join(model, 'preprocessor_config.json'), JSON.stringify(processor));
  writeFileSync(inputs, imageInputs(ids, grid));
  await capture({ model, prompt: { kind: 'tensors', file: inputs, image }, out, dtype: 'fp32', keep: { resid } }, { progress: () => undefined });
  const { manifest } = await completeCapture({ out });
  return { out, manifest, image: manifest.input.images![0], ...opened(out) };
}
function opened(out: string) {
  const traces = new OpenTraces(), { trace, streams } = traces.open(out);
  const ask = (request: Partial<LookRequest>) => look(traces, { trace, batch: 0, sites, of: { row: 20 }, withoutSinks: false, ...request }, between);
  /** Mean over both sites and all heads of a row's probability at each of these positions, straight from the stored q and k. */
  const mean = async (row: number, positions: readonly number[]): Promise<number[]> => {
    const rows = await Promise.all(sites.map(async name => { const view = traces.view(trace, name); return { view, row: await cells(prepare({ view, batch: 0, of: 'prob' }), [row], 0, view.keys, 0) }; }));
    return positions.map(j => rows.reduce((sum, { view, row: all }) => sum + Array.from({ length: view.heads }, (_, h) => all[h * view.keys + j]).reduce((a, b) => a + b) / view.heads, 0) / rows.length);
  };
  return { ask, mean, traces, trace, streams };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n), image = (n: number): number[] => new Array<number>(n).fill(96);
const near = (found: ArrayLike<number>, expected: readonly number[]): void => { expect(found.length).toBe(expected.length); expected.forEach((value, n) => expect(Math.abs(found[n] - value), `cell ${n}`).toBeLessThan(1e-6)); };

describe('Qwen2-VL: merged patches', () => {
  const config = { model_type: 'qwen2_vl', vision_config: { spatial_merge_size: 2, patch_size: 4 } };
  it('by image_grid_thw: span, cells, pixels', async () => {
    const { image: shown, ask, mean } = await traced(config, [1, 2, 3, ...image(16), 5, 6, 7], { grid: [1, 8, 8] });
    expect(shown.tokens).toMatchObject({ runs: [[3, 19]], rows: 4, columns: 4, views: [{ name: 'image', rows: 4, columns: 4, runs: [[3, 19]], box: [0, 0, 160, 120] }] });
    expect(shown.patches).toEqual({ rows: 8, columns: 8, merge: 2 });
    expect(shown.prepared).toContain('8 × 8 patches of 4 pixels, joined 2 × 2: 4 × 4 = 16 tokens');
    const found = await ask({});
    near(found.cells, await mean(20, range(3, 19)));
    expect(cellRectangle(lookedImage(shown, found), found, 6)).toEqual({ left: 80, top: 30, right: 120, bottom: 60 });
  });
  it('by size where no grid is given, and a sentence with both counts where they do not fit', async () => {
    const { image: shown, ask } = await traced(config, [1, ...image(16), 5, 6], { processor: { min_pixels: 64, max_pixels: 65_536, merge_size: 2, patch_size: 4 } });
    expect(shown.tokens!.problem).toBe('The prompt has 16 image tokens; the image takes 30 × 40 patches of 4 pixels, joined 2 × 2: 15 × 20 = 300.');
    await expect(ask({ of: { row: 17 } })).rejects.toThrow('The prompt has 16 image tokens;');
    await expect(traced(config, [1, ...image(16)], { grid: [2, 8, 8] })).rejects.toThrow('image_grid_thw says 2 × 8 × 8 patches; one picture has one frame.');
  });
});

it('LLaVA-NeXT: the squashed image, then tiles whose rows end in a newline', async () => {
  const { image: shown, ask, mean } = await traced({ model_type: 'llava_next', image_grid_pinpoints: [[24, 32]], vision_config: { image_size: 8, patch_size: 8 } }, [1, 2, ...image(16), 5, 6, 7]);
  expect(shown.tokens!.views).toEqual([{ name: 'tiles', rows: 3, columns: 4, runs: [[3, 7], [8, 12], [13, 17]], box: [0, 0, 160, 120] }, { name: 'whole', rows: 1, columns: 1, runs: [[2, 3]], box: [0, 0, 160, 120] }]);
  const tiles = await ask({ view: 0 }), whole = await ask({ view: 1 }), sum = await ask({ view: 'sum' }), expected = await mean(20, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]), [base] = await mean(20, [2]);
  near(tiles.cells, expected);
  near(whole.cells, [base]);
  near(sum.cells, expected.map(value => value + base / 12));
  const parts = { before: await mean(20, [0, 1]), between: await mean(20, [7, 12]), behind: await mean(20, [17, 18, 19, 20]), image: [...expected, base] };
  // The newline behind the last row of patches stands behind the image's cells, and is none of the text.
  expect(sum.masses.before).toBeCloseTo(parts.before[0] + parts.before[1], 6);
  expect(sum.masses.between).toBeCloseTo([...parts.between, parts.behind[0]].reduce((a, b) => a + b), 6);
  expect(sum.masses.behind + sum.masses.textSinks).toBeCloseTo(parts.behind.slice(1).reduce((a, b) => a + b), 6);
  expect(sum.masses.image + sum.masses.imageSinks).toBeCloseTo(parts.image.reduce((a, b) => a + b), 6);
  expect(Object.values(sum.masses).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  expect(cellRectangle(lookedImage(shown, tiles), tiles, 5)).toEqual({ left: 40, top: 40, right: 80, bottom: 80 });
});

it('Idefics3: tiles one after the other, each with its name, then the whole image', async () => {
  const wide = join(folder, 'wide.png'), config = { model_type: 'idefics3', scale_factor: 2, vision_config: { patch_size: 4 } }, processor = { do_image_splitting: true, size: { longest_edge: 48 }, max_image_size: { longest_edge: 16 } };
  writeFileSync(wide, thumbnailPng({ width: 300, height: 100, rgb: new Uint8Array(90_000).fill(99) }));
  // 300 × 100 to three tiles of 2 × 2 tokens, a line break, and the whole.
  const tile = (name: number): number[] => [90, name, ...image(4)], ids = [1, ...tile(71), ...tile(72), ...tile(73), 94, 90, 95, ...image(4), 90, 5, 6], { image: shown, ask, mean } = await traced(config, ids, { processor, image: wide });
  const order = [3, 4, 9, 10, 15, 16, 5, 6, 11, 12, 17, 18], last = [22, 23, 24, 25];
  expect(shown.tokens!.views).toEqual([{ name: 'tiles', rows: 2, columns: 6, runs: [[3, 5], [9, 11], [15, 17], [5, 7], [11, 13], [17, 19]], box: [0, 0, 300, 100] }, { name: 'whole', rows: 2, columns: 2, runs: [[22, 26]], box: [0, 0, 300, 100] }]);
  const row = 27, tiles = await ask({ of: { row } }), whole = await ask({ of: { row }, view: 1 }), sum = await ask({ of: { row }, view: 'sum' }), fine = await mean(row, order), coarse = await mean(row, last);
  near(tiles.cells, fine);
  near(whole.cells, coarse);
  near(sum.cells, fine.map((value, n) => value + coarse[Math.floor(n / 6) * 2 + Math.floor(n % 6 / 3)] / 3));
  expect(sum.masses.between).toBeCloseTo((await mean(row, [7, 8, 13, 14, 19, 20, 21])).reduce((a, b) => a + b), 6);
  expect(cellRectangle(lookedImage(shown, tiles), tiles, 8)).toEqual({ left: 100, top: 50, right: 150, bottom: 100 });
});

it('what the model wrote itself is a part of its own', async () => {
  const out = join(folder, 'generated.attntrace');
  await capture({ model: join(root, 'test/zoo/folders/llava_multi'), prompt: { kind: 'ids', ids: [61, 51, 96, 82, 31], image: scene }, out, dtype: 'fp32', generate: 4 }, { progress: () => undefined });
  const { manifest: { generated, input } } = await completeCapture({ out }), { ask, mean } = opened(out), length = input.ids[0].length, row = length - 1;
  expect(generated!.from).toBe(20);
  expect(length).toBeGreaterThan(22);
  const { masses } = await ask({ of: { row } }), at = await mean(row, range(0, length)), sum = (from: number, to: number): number => at.slice(from, to).reduce((a, b) => a + b);
  expect(masses.generated).toBeGreaterThan(0);
  near(Float32Array.of(masses.before, masses.image + masses.imageSinks, masses.behind, masses.generated), [sum(0, 2), sum(2, 18), sum(18, 20), sum(20, length)]);
  expect((await ask({ of: { row: 19 } })).masses.generated).toBe(0);
});

describe('sums of views', () => {
  it('keep the mass, spread it by area, and put what lies beyond on the nearest cells', () => {
    const grid = (rows: number, columns: number, from: number, box?: readonly [number, number, number, number]) => ({ rows, columns, from, runs: [], ...(box ? { box } : {}) });
    expect(Array.from(summedViews([grid(2, 2, 0), grid(1, 1, 4)], [0, 0, 0, 1, 4]))).toEqual([1, 1, 1, 2]);
    // Thirds over halves: the middle third belongs to both.
    const thirds = summedViews([grid(1, 2, 0), grid(1, 3, 2)], [0, 0, 3, 3, 3]);
    expect(thirds[0]).toBeCloseTo(4.5, 12);
    const beyond = summedViews([grid(1, 2, 0, [10, 0, 30, 10]), grid(1, 4, 2, [0, 0, 40, 10])], [0, 0, 1, 2, 4, 8]);
    expect(Array.from(beyond)).toEqual([3, 12]);
  });
});

describe('sinks by state', () => {
  /** Every layer's stream: ±1 everywhere and a tenth in dimension 5, but for `massive` positions, which have nothing but a thousand there. */
  function setStreams({ out, traces, trace }: { readonly out: string; readonly traces: OpenTraces; readonly trace: string }, massive: readonly number[]): void {
    const { store } = traces.trace(trace), fd = openSync(out, 'r+');
    for (const layer of [0, 1]) {
      const { shape: [, positions, width], offset } = store.info(`blocks.${layer}.hook_resid_pre`);
      writeSync(fd, Buffer.from(Float32Array.from({ length: positions * width }, (_, n) => { const j = Math.floor(n / width), d = n % width; return massive.includes(j) ? (d === 5 ? -1000 : 0.1) : d === 5 ? 0.1 : (n * 7) % 3 ? 1 : -1; }).buffer), 0, positions * width * 4, offset);
    }
    closeSync(fd);
  }
  it('are the tokens that are massive where the first one is, in the image and in the text', async () => {
    const made = await traced({ model_type: 'llava', vision_config: { image_size: 32, patch_size: 8 } }, [1, 2, 3, ...image(16), 5, 6, 7], { resid: true });
    expect(made.streams).toEqual(expect.arrayContaining(sites));
    expect((await made.ask({ sinks: 'state' })).state).toMatchObject({ dims: [] });
    setStreams(made, [0, 9, 14, 20]);
    const { ask, mean } = opened(made.out), found = await ask({ sinks: 'state', of: { row: 21 } }), clean = await ask({ sinks: 'state', of: { row: 21 }, withoutSinks: true });
    expect(found.state).toEqual({ dims: [5], threshold: 0.3125 * Math.sqrt(32) });
    expect(Array.from(found.sinks.keys()).filter(n => found.sinks[n] > 0)).toEqual([9 - 3, 14 - 3]);
    const at = await mean(21, range(0, 22)), of = (...positions: number[]): number => positions.reduce((sum, j) => sum + at[j], 0);
    near(Float32Array.of(found.masses.imageSinks, found.masses.textSinks, found.masses.image, found.masses.before, found.masses.behind), [of(9, 14), of(0, 20), of(...range(3, 19).filter(j => j !== 9 && j !== 14)), of(1, 2), of(19, 21)]);
    near(clean.cells, range(3, 19).map(j => (j === 9 || j === 14 ? 0 : at[j] / of(...range(3, 19).filter(k => k !== 9 && k !== 14)))));
  });
  it('are refused with a sentence where the stream was not kept', async () => {
    const { ask, streams } = await traced({ model_type: 'llava', vision_config: { image_size: 32, patch_size: 8 } }, [1, 2, 3, ...image(16), 5, 6, 7]);
    expect(streams).toEqual([]);
    await expect(ask({ sinks: 'state' })).rejects.toThrow('The residual stream of this model is not in the trace');
  });
});
