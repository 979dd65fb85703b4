/** Colours of the editor's theme as numbers, for what is painted and not styled. */

export type Rgb = readonly [number, number, number];

const known = new Map<string, Rgb>();
let probe: CanvasRenderingContext2D | undefined;

/** A CSS colour variable of the page as RGB; `otherwise` where it is missing or no colour. */
export function themeColour(variable: string, otherwise: Rgb): Rgb {
  const text = getComputedStyle(document.body).getPropertyValue(variable).trim();
  if (!text) return otherwise;
  const read = known.get(text);
  if (read) return read;
  if (!probe) {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    probe = canvas.getContext('2d', { willReadFrequently: true })!;
  }
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = text;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  known.set(text, [r, g, b]);
  return [r, g, b];
}

export function isLight(): boolean {
  const [r, g, b] = themeColour('--vscode-editor-background', [30, 30, 30]);
  return (r * 299 + g * 587 + b * 114) / 1000 > 127;
}

/** Cells that the mask hides: a grey of its own, between the page and the map, unlike any colour of the map. */
export function maskedColour(): Rgb { return isLight() ? [226, 226, 230] : [52, 52, 58]; }

/** Calls back when the editor's theme changes: what is painted does not follow by itself. Returns how to stop. */
export function onThemeChange(changed: () => void): () => void {
  const watcher = new MutationObserver(changed);
  watcher.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
  return () => watcher.disconnect();
}
