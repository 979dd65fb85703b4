/** Three maps of one head under one view: A, B, and B less A; asks for the cells on the screen and paints them. The hands are in compare-head.tsx. */
import type { CompareApi, HeadRef, Tile } from '../../extension/contract/api.ts';
import { Cancelled } from '../../extension/contract/errors.ts';
import type { Client } from '../../extension/contract/rpc.ts';
import { probabilityScale, type Scale, type ScaleKind } from '../marks/scale.ts';
import { clamp, fit, visible, type Extent, type Size, type View } from '../marks/view.ts';
import { colourChanges } from '../paint/diverging.ts';
import { colourTexels } from '../paint/heat-2d.ts';
import { maskedColour, onThemeChange, themeColour } from '../paint/theme.ts';

/** In the order of the canvases. */
export const mapKinds = ['a', 'b', 'difference'] as const;
export type MapKind = typeof mapKinds[number];

/** `most`: largest probability of A and B, and largest change, of all that was seen of this head. */
export interface MapsChange { readonly view: View; readonly scale: Scale; readonly mostChange: number; readonly ready: boolean; readonly problem?: string }

interface Asked { readonly host: Pick<Client<CompareApi>, 'tile' | 'differenceTile'>; readonly head: Omit<HeadRef, 'trace'>; readonly traces: { readonly a: string; readonly b: string }; readonly extent: Extent; readonly changed: (change: MapsChange) => void; readonly failed: (error: unknown) => void }

export class CompareMaps {
  readonly extent: Extent;
  size: Size = { width: 1, height: 1 };
  view: View;
  kind: ScaleKind;
  readonly #canvases: readonly HTMLCanvasElement[];
  readonly #asked: Asked;
  readonly #stopWatching: () => void;
  #tiles: readonly Tile[] = [];
  #most = 0;
  #mostChange = 0;
  #fitted = true;
  #frame = 0;
  #wait: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;
  /** What `#tiles` hold. */
  #held = '';

  constructor(canvases: readonly HTMLCanvasElement[], kind: ScaleKind, asked: Asked) {
    this.extent = asked.extent;
    this.#canvases = canvases;
    this.#asked = asked;
    this.kind = kind;
    this.view = fit(this.extent, this.size);
    this.#stopWatching = onThemeChange(() => this.redraw());
  }

  resize(size: Size): void { this.size = size; this.view = this.#fitted ? fit(this.extent, size) : clamp(this.view, this.extent, size); this.redraw(); }
  move(view: View): void { this.#fitted = false; this.view = view; this.redraw(); }
  fit(): void { this.#fitted = true; this.view = fit(this.extent, this.size); this.redraw(); }
  setKind(kind: ScaleKind): void { this.kind = kind; this.redraw(); }
  again(): void { this.#held = ''; this.redraw(); }

  redraw(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#paint(); this.#ask(); });
  }

  dispose(): void {
    this.#stopWatching();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#wait);
    this.#running?.abort();
  }

  /** Cells on the screen, and no more of them than it has pixels for. */
  #wanted(): { readonly rows: readonly [number, number]; readonly cols: readonly [number, number]; readonly height: number; readonly width: number } {
    const { rows, cols } = visible(this.view, this.extent, this.size), pixels = (cells: number): number => Math.max(1, Math.min(cells, Math.ceil(cells * this.view.cell * devicePixelRatio)));
    return { rows, cols, height: pixels(rows[1] - rows[0]), width: pixels(cols[1] - cols[0]) };
  }

  #ask(): void {
    if (this.size.width < 2) return;
    const wanted = this.#wanted(), key = JSON.stringify(wanted);
    if (key === this.#held || wanted.rows[0] >= wanted.rows[1] || wanted.cols[0] >= wanted.cols[1]) return;
    clearTimeout(this.#wait);
    this.#running?.abort();
    const running = this.#running = new AbortController(), { host, head, traces } = this.#asked;
    // While the hand moves only the last place is asked for.
    this.#wait = setTimeout(() => {
      const one = (trace: string): Promise<Tile> => host.tile({ ...head, trace, ...wanted, of: 'prob', reduce: 'max' }, { signal: running.signal });
      Promise.all([one(traces.a), one(traces.b), host.differenceTile({ ...head, ...traces, ...wanted }, { signal: running.signal })]).then(tiles => {
        if (running.signal.aborted) return;
        this.#tiles = tiles;
        this.#held = key;
        for (const value of [...tiles[0].data, ...tiles[1].data]) if (value > this.#most && value < Infinity) this.#most = value;
        for (const value of tiles[2].data) if (Math.abs(value) > this.#mostChange) this.#mostChange = Math.abs(value);
        this.redraw();
      }, (error: unknown) => {
        if (error instanceof Cancelled || running.signal.aborted) return;
        this.#asked.failed(error);
        this.#tell(error instanceof Error ? error.message : String(error));
      });
    }, this.#tiles.length ? 40 : 0);
  }

  #paint(): void {
    const background = themeColour('--vscode-editor-background', [30, 30, 30]), scale = probabilityScale(this.kind, this.#most), masked = maskedColour(), cell = this.view.cell * devicePixelRatio;
    this.#canvases.forEach((canvas, n) => {
      const context = canvas.getContext('2d')!, tile = this.#tiles[n];
      canvas.width = Math.round(this.size.width * devicePixelRatio);
      canvas.height = Math.round(this.size.height * devicePixelRatio);
      context.fillStyle = `rgb(${background.join(' ')})`;
      context.fillRect(0, 0, canvas.width, canvas.height);
      if (!tile) return;
      const picture = document.createElement('canvas');
      picture.width = tile.width;
      picture.height = tile.height;
      const texels = picture.getContext('2d')!, image = texels.createImageData(tile.width, tile.height);
      if (mapKinds[n] === 'difference') colourChanges(tile.data, this.#mostChange, masked, image.data); else colourTexels(tile.data, scale, masked, image.data);
      texels.putImageData(image, 0, 0);
      context.imageSmoothingEnabled = false;
      const x = Math.round((tile.cols[0] - this.view.col) * cell), y = Math.round((tile.rows[0] - this.view.row) * cell);
      context.drawImage(picture, x, y, Math.round((tile.cols[1] - this.view.col) * cell) - x, Math.round((tile.rows[1] - this.view.row) * cell) - y);
    });
    this.#tell();
  }

  #tell(problem?: string): void {
    this.#asked.changed({ view: this.view, scale: probabilityScale(this.kind, this.#most), mostChange: this.#mostChange, ready: this.#tiles.length === 3 && this.#held === JSON.stringify(this.#wanted()), ...(problem ? { problem } : {}) });
  }
}
