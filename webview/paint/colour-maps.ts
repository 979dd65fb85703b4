/** The colour maps that a person may choose: perceptually even, light at the top, safe in print and for colour-blind readers; tables of 256 sRGB colours. */
import { lutIndex, viridis } from '../../extension/contract/viridis.ts';

export type ColourMapId = 'viridis' | 'magma' | 'cividis' | 'grey';
export const colourMaps: readonly { readonly id: ColourMapId; readonly text: string }[] = [{ id: 'viridis', text: 'Viridis' }, { id: 'magma', text: 'Magma' }, { id: 'cividis', text: 'Cividis' }, { id: 'grey', text: 'Gray' }];

/** matplotlib's table (van der Walt and Smith 2015, CC0). */
const magmaHex = '00000401000501010601010802010902020b02020d03030f03031204041405041606051806051a07061c08071e0907200a08220b09240c09260d0a290e0b2b100b2d110c2f120d31130d34140e36150e38160f3b180f3d19103f1a10421c10'
  + '441d11471e114920114b21114e22115024125325125527125829115a2a115c2c115f2d11612f116331116533106734106936106b38106c390f6e3b0f703d0f713f0f72400f74420f75440f764510774710784910784a10794c117a4e117b4f'
  + '127b51127c52137c54137d56147d57157e59157e5a167e5c167f5d177f5f187f601880621980641a80651a80671b80681c816a1c816b1d816d1d816e1e81701f81721f817320817521817621817822817922827b23827c23827e2482802582'
  + '8125818326818426818627818827818928818b29818c29818e2a81902a81912b81932b80942c80962c80982d80992d809b2e7f9c2e7f9e2f7fa02f7fa1307ea3307ea5317ea6317da8327daa337dab337cad347cae347bb0357bb2357bb336'
  + '7ab5367ab73779b83779ba3878bc3978bd3977bf3a77c03a76c23b75c43c75c53c74c73d73c83e73ca3e72cc3f71cd4071cf4070d0416fd2426fd3436ed5446dd6456cd8456cd9466bdb476adc4869de4968df4a68e04c67e24d66e34e65e4'
  + '4f64e55064e75263e85362e95462ea5661eb5760ec5860ed5a5fee5b5eef5d5ef05f5ef1605df2625df2645cf3655cf4675cf4695cf56b5cf66c5cf66e5cf7705cf7725cf8745cf8765cf9785df9795df97b5dfa7d5efa7f5efa815ffb835f'
  + 'fb8560fb8761fc8961fc8a62fc8c63fc8e64fc9065fd9266fd9467fd9668fd9869fd9a6afd9b6bfe9d6cfe9f6dfea16efea36ffea571fea772fea973feaa74feac76feae77feb078feb27afeb47bfeb67cfeb77efeb97ffebb81febd82febf'
  + '84fec185fec287fec488fec68afec88cfeca8dfecc8ffecd90fecf92fed194fed395fed597fed799fed89afdda9cfddc9efddea0fde0a1fde2a3fde3a5fde5a7fde7a9fde9aafdebacfcecaefceeb0fcf0b2fcf2b4fcf4b6fcf6b8fcf7b9fc'
  + 'f9bbfcfbbdfcfdbf';

const table = (colour: (index: number) => readonly [number, number, number]): Uint8Array => {
  const bytes = new Uint8Array(1024);
  for (let i = 0; i < 256; i++) bytes.set([...colour(i), 255], i * 4);
  return bytes;
};
const bounded = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));
const horner = (t: number, ...coefficients: readonly number[]): number => coefficients.reduceRight((sum, one) => one + t * sum, 0);

/** RGBA bytes, [256, 4]. Cividis (Nuñez, Anderton and Renslow 2018) by Jamie Perkins' polynomial, as in d3-scale-chromatic. */
export const colourTable: Readonly<Record<ColourMapId, Uint8Array>> = {
  viridis,
  magma: table(i => [0, 2, 4].map(at => parseInt(magmaHex.slice(i * 6 + at, i * 6 + at + 2), 16)) as unknown as readonly [number, number, number]),
  cividis: table(i => { const t = i / 255; return [bounded(horner(t, -4.54, -35.34, 2381.73, -6402.7, 7024.72, -2710.57)), bounded(horner(t, 32.49, 170.73, 52.82, -131.46, 176.58, -67.37)), bounded(horner(t, 81.24, 442.36, -2482.43, 6167.24, -6614.94, 2475.67))]; }),
  grey: table(i => [i, i, i]),
};

/** The colour at `t` in [0, 1] (clamped) as CSS. */
export function colourCss(map: ColourMapId, t: number): string {
  const at = lutIndex(t) * 4, bytes = colourTable[map];
  return `rgb(${bytes[at]} ${bytes[at + 1]} ${bytes[at + 2]})`;
}
