/** Axis labels: which tokens get one when cells are smaller than letters, and how a label is cut to its room. */

export interface AxisLabel { readonly index: number; /** Middle of the cell, CSS pixels from the window's edge. */ readonly at: number }

/**
 * Labels of the cells in view, thinned to every 1st, 2nd, 5th, 10th, 20th … so that neighbours keep `pitch` pixels.
 * Steps start at index 0, so that labels stay on their tokens while the map is dragged.
 */
export function axisLabels(count: number, first: number, cell: number, length: number, pitch: number): AxisLabel[] {
  const step = labelStep(cell, pitch);
  const labels: AxisLabel[] = [];
  for (let index = Math.max(0, Math.ceil((first - 0.5) / step) * step); index < count; index += step) {
    const at = (index + 0.5 - first) * cell;
    if (at > length) break;
    if (at >= 0) labels.push({ index, at });
  }
  return labels;
}

/** The labels with that of `focus` among them, in place of neighbours that it would lie on. */
export function withFocus(labels: readonly AxisLabel[], focus: AxisLabel | undefined, pitch: number): readonly AxisLabel[] {
  return focus ? [...labels.filter(label => Math.abs(label.at - focus.at) >= pitch), focus] : labels;
}

/** The smallest of 1, 2, 5, 10, 20, 50 … that keeps labels `pitch` pixels apart. */
export function labelStep(cell: number, pitch: number): number {
  for (let decade = 1; ; decade *= 10) {
    for (const part of [1, 2, 5]) if (part * decade * cell >= pitch || decade > 1e8) return part * decade;
  }
}

/** From this step on a token alone says nothing about where it stands: its position is written with it. */
const positionsFrom = 50;

/** What stands beside a cell: its text; where labels are far apart, the position first (`12,000 mill`), of which no figure is ever cut. */
export function rulerText(text: string, position: number, step: number): string {
  return step < positionsFrom ? text : text.startsWith('#') ? position.toLocaleString('en') : `${position.toLocaleString('en')} ${text}`;
}

/** Cuts `text` with an ellipsis to `room` pixels; `measure` gives a string's width. */
export function cut(text: string, room: number, measure: (text: string) => number): string {
  if (measure(text) <= room) return text;
  const letters = [...text];
  let low = 0;
  let high = letters.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(`${letters.slice(0, middle).join('')}…`) <= room) low = middle; else high = middle - 1;
  }
  return low > 0 ? `${letters.slice(0, low).join('')}…` : '';
}
