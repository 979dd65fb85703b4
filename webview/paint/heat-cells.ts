/** The color of a cell that stands for one number, and the ink that can be read on it. */
import { lutIndex, viridis, viridisCss } from '../../extension/contract/viridis.ts';
import { position, type Scale } from '../marks/scale.ts';

/** CSS colors; black or white ink, whichever has the higher contrast (WCAG 2: relative luminance over 0.179 wants black). */
export function cellColors(scale: Scale, value: number): { readonly ground: string; readonly ink: string } {
  const t = position(scale, value), at = lutIndex(t) * 4;
  const [r, g, b] = [0, 1, 2].map(channel => { const c = viridis[at + channel] / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
  return { ground: viridisCss(t), ink: 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff' };
}

/** Viridis from left to right, for a legend. */
export function viridisGradient(): string {
  return `linear-gradient(to right, ${Array.from({ length: 33 }, (_, i) => viridisCss(i / 32)).join(', ')})`;
}
