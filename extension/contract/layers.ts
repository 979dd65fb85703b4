/** A choice of layers as a person writes it: `0-3,10`. */

/** Ranges of strangers stay small: no model has more layers. */
const mostLayers = 10_000;

/** `0-3,10` as ascending numbers, each once; undefined when it is no such list. Blanks do not count. */
export function parseLayers(text: string): readonly number[] | undefined {
  const layers = new Set<number>();
  for (const part of text.split(',').map(one => one.trim())) {
    const match = /^(\d{1,4})(?:\s*[-–]\s*(\d{1,4}))?$/.exec(part);
    if (!match) return undefined;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]);
    if (last < first || last >= mostLayers) return undefined;
    for (let layer = first; layer <= last; layer++) layers.add(layer);
  }
  return [...layers].sort((a, b) => a - b);
}

/** The other way round: `[0, 1, 2, 3, 10]` → `0-3,10`. */
export function layersText(layers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const layer of [...new Set(layers)].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && layer === range[1] + 1) range[1] = layer;
    else ranges.push([layer, layer]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
