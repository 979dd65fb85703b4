/** Colours of differences: blue where there is less, orange where there is more, and at 0 the ground of the theme; even steps of lightness on both sides, told apart by colour-blind readers. */
import { isLight, type Rgb } from './theme.ts';

/** From the largest loss over 0 to the largest gain; in the light the ends are dark, in the dark they are bright. */
const light: readonly Rgb[] = [[5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [250, 250, 250], [253, 219, 199], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31]];
const dark: readonly Rgb[] = [[199, 233, 255], [118, 192, 245], [52, 142, 214], [30, 96, 156], [22, 54, 90], [14, 14, 16], [88, 42, 18], [152, 70, 22], [214, 106, 36], [250, 158, 84], [255, 222, 178]];

let known: { readonly light: boolean; readonly table: Uint8Array } | undefined;

/** RGB bytes of 255 colours; the middle one, 127, is 0. */
export function divergingTable(): Uint8Array {
  if (known?.light === isLight()) return known.table;
  const anchors = isLight() ? light : dark, table = new Uint8Array(255 * 3);
  for (let n = 0; n < 255; n++) {
    const at = n / 254 * (anchors.length - 1), low = Math.min(Math.floor(at), anchors.length - 2), share = at - low;
    for (let c = 0; c < 3; c++) table[n * 3 + c] = Math.round(anchors[low][c] * (1 - share) + anchors[low + 1][c] * share);
  }
  known = { light: isLight(), table };
  return table;
}

let colours: { readonly of: Uint8Array; readonly table: Uint8Array } | undefined;

/** RGBA bytes [256, 4] for a signed scale; 0 lies between the two middle ones, which are both its colour. */
export function divergingColours(): Uint8Array {
  const of = divergingTable();
  if (colours?.of === of) return colours.table;
  const table = new Uint8Array(1024);
  for (let n = 0; n < 256; n++) { const from = (n < 128 ? n : n - 1) * 3; table.set([of[from], of[from + 1], of[from + 2], 255], n * 4); }
  colours = { of, table };
  return table;
}

/** Row of the table for a change between −most and most. */
export function divergingIndex(change: number, most: number): number {
  return most > 0 ? Math.round(127 + 127 * Math.min(1, Math.max(-1, change / most))) : 127;
}

/** RGBA bytes of changes; NaN is masked. */
export function colourChanges(data: Float32Array, most: number, masked: Rgb, out: Uint8ClampedArray): void {
  const table = divergingTable();
  for (let n = 0; n < data.length; n++) {
    const change = data[n], at = n * 4;
    out[at + 3] = 255;
    if (Number.isNaN(change)) { out[at] = masked[0]; out[at + 1] = masked[1]; out[at + 2] = masked[2]; continue; }
    const from = divergingIndex(change, most) * 3;
    out[at] = table[from]; out[at + 1] = table[from + 1]; out[at + 2] = table[from + 2];
  }
}
