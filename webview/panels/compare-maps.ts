/** Three maps of one head under one view: A, B, and B less A; asks for the cells on the screen and paints them. The hands are in compare-head.tsx. */
import type { CompareApi, HeadRef, Tile } from '../../extension/contract/api.ts';
import type { Client } from '../../extension/contract/rpc.ts';
import { probabilityScale, type Scale, type ScaleKind } from '../marks/scale.ts';
import type { TileSpan } from '../marks/tiles.ts';
import { clamp, fit, type Extent, type Size, type View } from '../marks/view.ts';
import { colourChanges } from '../paint/diverging.ts';
import { colourTexels } from '../paint/heat-2d.ts';
import type { PlacedTile, Texels } from '../paint/heat.ts';
import { maskedColour, onThemeChange, themeColour } from '../paint/theme.ts';
import { TileSet } from './tile-set.ts';

/** In the order of the canvases. */
export const mapKinds = ['a', 'b', 'difference'] as const;
export type MapKind = typeof mapKinds[number];

/** `most`: largest probability of A and B, and largest change, of all that was seen of this head. */
export interface MapsChange { readonly view: View; readonly scale: Scale; readonly mostChange: number; readonly ready: boolean; /** A texel stands for so many cells each way. */ readonly pooled: number; readonly problem?: string }

interface Asked {
  readonly host: Pick<Client<CompareApi>, 'tile' | 'differenceTile'>; readonly head: Omit<HeadRef, 'trace'>; readonly traces: { readonly a: string; readonly b: string }; readonly extent: Extent;
  /** Neither sees any of these cells. */
  readonly empty: (span: TileSpan) => boolean;
  readonly changed: (change: MapsChange) => void; readonly failed: (error: unknown) => void;
}

export class CompareMaps {
  readonly extent: Extent;
  size: Size = { width: 1, height: 1 };
  view: View;
  kind: ScaleKind;
  readonly #canvases: readonly HTMLCanvasElement[];
  readonly #asked: Asked;
  readonly #stopWatching: () => void;
  readonly #sets: readonly TileSet[];
  readonly #pictures = new WeakMap<Texels, { readonly key: string; readonly picture: HTMLCanvasElement }>();
  #most = 0;
  #mostChange = 0;
  #fitted = true;
  #frame = 0;

  constructor(canvases: readonly HTMLCanvasElement[], kind: ScaleKind, asked: Asked) {
    this.extent = asked.extent;
    this.#canvases = canvases;
    this.#asked = asked;
    this.kind = kind;
    this.view = fit(this.extent, this.size);
    this.#stopWatching = onThemeChange(() => this.redraw());
    const { host, head, traces, extent, empty, failed } = asked, shared = { extent, empty, failed, changed: () => this.redraw() }, probability = (tile: Tile): void => { for (const value of tile.data) if (value > this.#most && value < Infinity) this.#most = value; };
    const one = (trace: string): TileSet => new TileSet({ ...shared, arrived: probability, load: ({ rows, cols, height, width }, signal) => host.tile({ ...head, trace, rows, cols, height, width, of: 'prob', reduce: 'max' }, { signal }) });
    this.#sets = [one(traces.a), one(traces.b), new TileSet({
      ...shared, load: ({ rows, cols, height, width }, signal) => host.differenceTile({ ...head, ...traces, rows, cols, height, width }, { signal }),
      arrived: tile => { for (const value of tile.data) if (Math.abs(value) > this.#mostChange) this.#mostChange = Math.abs(value); },
    })];
  }

  resize(size: Size): void { this.size = size; this.view = this.#fitted ? fit(this.extent, size) : clamp(this.view, this.extent, size); this.redraw(); }
  move(view: View): void { this.#fitted = false; this.view = view; this.redraw(); }
  fit(): void { this.#fitted = true; this.view = fit(this.extent, this.size); this.redraw(); }
  setKind(kind: ScaleKind): void { this.kind = kind; this.redraw(); }
  again(): void { for (const set of this.#sets) set.again(); this.redraw(); }

  redraw(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#paint(); });
  }

  dispose(): void {
    this.#stopWatching();
    cancelAnimationFrame(this.#frame);
    for (const set of this.#sets) set.dispose();
  }

  #paint(): void {
    const background = `rgb(${themeColour('--vscode-editor-background', [30, 30, 30]).join(' ')})`, masked = maskedColour(), cell = this.view.cell * devicePixelRatio, shown = this.#sets.map(set => set.show(this.view, this.size, devicePixelRatio));
    this.#canvases.forEach((canvas, n) => {
      const context = canvas.getContext('2d')!, width = Math.round(this.size.width * devicePixelRatio), height = Math.round(this.size.height * devicePixelRatio);
      if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
      const place = ({ rows, cols }: Pick<PlacedTile, 'rows' | 'cols'>): readonly [number, number, number, number] => {
        const x = Math.round((cols[0] - this.view.col) * cell), y = Math.round((rows[0] - this.view.row) * cell);
        return [x, y, Math.round((cols[1] - this.view.col) * cell) - x, Math.round((rows[1] - this.view.row) * cell) - y];
      };
      context.fillStyle = background;
      context.fillRect(0, 0, width, height);
      // What is never asked for is hidden in both.
      context.fillStyle = `rgb(${masked.join(' ')})`;
      context.fillRect(...place({ rows: [0, this.extent.rows], cols: [0, this.extent.cols] }));
      context.fillStyle = background;
      for (const one of shown[n].pending) context.fillRect(...place(one));
      context.imageSmoothingEnabled = false;
      for (const tile of shown[n].tiles) context.drawImage(this.#picture(tile.texels, mapKinds[n], masked), ...place(tile));
    });
    const problem = this.#sets.find(set => set.problem !== undefined)?.problem;
    this.#asked.changed({ view: this.view, scale: probabilityScale(this.kind, this.#most), mostChange: this.#mostChange, ready: shown.every(one => one.ready), pooled: 2 ** shown[0].level, ...(problem ? { problem } : {}) });
  }

  /** One pixel a texel, painted anew when scale or theme change. */
  #picture(texels: Texels, kind: MapKind, masked: readonly [number, number, number]): HTMLCanvasElement {
    const scale = probabilityScale(this.kind, this.#most), key = JSON.stringify([kind === 'difference' ? this.#mostChange : scale, masked]), known = this.#pictures.get(texels);
    if (known?.key === key) return known.picture;
    const picture = known?.picture ?? document.createElement('canvas');
    picture.width = texels.width;
    picture.height = texels.height;
    const context = picture.getContext('2d')!, image = context.createImageData(texels.width, texels.height);
    if (kind === 'difference') colourChanges(texels.data, this.#mostChange, masked, image.data); else colourTexels(texels.data, scale, masked, image.data);
    context.putImageData(image, 0, 0);
    this.#pictures.set(texels, { key, picture });
    return picture;
  }
}
