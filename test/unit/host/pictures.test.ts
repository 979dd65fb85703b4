/** Thumbnails for hovers are PNGs that others can read; the page's policy lets nothing else run. */
import { PNG } from 'pngjs';
import { expect, it } from 'vitest';
import { viridis } from '../../../extension/contract/viridis.ts';
import { panelPage } from '../../../extension/host/panel-page.ts';
import { thumbnailUri } from '../../../extension/host/thumbnail-uri.ts';

it('a thumbnail shows the largest value bright, zero dark, and what is hidden grey', () => {
  const data = new Float32Array(32 * 32);
  data[0] = 1;
  data[32] = 0.25;
  const png = PNG.sync.read(Buffer.from(thumbnailUri(data, 3, true).replace('data:image/png;base64,', ''), 'base64'));
  const pixel = (x: number, y: number): number[] => [...png.data.subarray((y * png.width + x) * 4, (y * png.width + x) * 4 + 3)];
  expect([png.width, png.height]).toEqual([3, 3]);
  expect(pixel(0, 0)).toEqual([...viridis.subarray(255 * 4, 255 * 4 + 3)]);
  expect(pixel(1, 1)).toEqual([...viridis.subarray(0, 3)]);
  expect(pixel(1, 0)).toEqual([128, 128, 136]);
  expect(pixel(0, 1)).not.toEqual(pixel(1, 1));
});

it('48 of them fit a hover', () => {
  const noisy = Float32Array.from({ length: 32 * 32 }, (_, i) => (i * 7919 % 101) / 101);
  expect(thumbnailUri(noisy, 32, false).length * 64).toBeLessThan(80_000);
});

it('the page runs only what carries its nonce, and escapes what it is given', () => {
  const page = panelPage({ script: 'https://x/webview.js?"><script>', style: 'https://x/webview.css', source: 'https://x', nonce: 'abc', title: '<b>' });
  expect(page).toContain("default-src 'none'");
  expect(page).toContain("script-src 'nonce-abc'");
  expect(page).not.toContain('unsafe');
  expect(page).not.toContain('<b>');
  expect(page.match(/<script/g)).toHaveLength(1);
});
