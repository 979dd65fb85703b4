/** What the host shows while a trace runs, in words; and thumbnails of values that are no probabilities. */
import { PNG } from 'pngjs';
import { expect, it } from 'vitest';
import { progressText, seconds } from '../../../extension/host/progress-text.ts';
import { thumbnailUri } from '../../../extension/host/thumbnail-uri.ts';

it.each([
  [undefined, 40, 'Starting the engine · 0.0 s'],
  [{ phase: 'open' }, 100, 'Opening model · 0.1 s'],
  [{ phase: 'session' }, 1_000, 'Creating session · 1.0 s'],
  [{ phase: 'run' }, 61_000, 'Running · 61.0 s'],
  [{ phase: 'statistics', done: 3, total: 8 }, 1_234, 'Statistics 3 of 8 · 1.2 s'],
  [{ phase: 'write' }, 125_500, 'Writing · 2 min 5 s'],
] as const)('says %j after %d ms', (progress, ms, text) => expect(progressText(progress, ms)).toBe(text));
it('counts no time below zero', () => expect(seconds(-5)).toBe('0.0 s'));

const pixels = (uri: string): PNG => PNG.sync.read(Buffer.from(uri.replace(/^data:image\/png;base64,/, ''), 'base64'));

it('draws NaN, infinity and nothing at all without failing, and stays small', () => {
  const data = new Float32Array(32 * 32).map((_, i) => [NaN, Infinity, 0.5, -1][i % 4]);
  expect(pixels(thumbnailUri(data, 32, false)).width).toBe(32);
  expect(pixels(thumbnailUri(new Float32Array(32 * 32), 1, true)).width).toBe(1);
  let seed = 1;
  const noise = new Float32Array(32 * 32).map(() => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647);
  expect(thumbnailUri(noise, 32, false).length).toBeLessThan(1_100);
});
