/** One map on the screen: which tiles it needs, where it is, which cell is in focus; the hands are in map-view.tsx. */
import type { Client } from '../../extension/contract/rpc.ts';
import type { HeadRef, PanelApi, Tile } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import { probabilityScale, type Scale, type ScaleKind } from '../marks/scale.ts';
import { isAllMasked, levelFor, tileName, tileSpan, tilesFor, topLevel, type TileKey } from '../marks/tiles.ts';
import { clamp, fit, type Extent, type Size, type View } from '../marks/view.ts';
import { heatPainter, type HeatPainter, type PlacedTile } from '../paint/heat.ts';
import { maskedColour, onThemeChange, themeColour } from '../paint/theme.ts';

/** Tiles kept beside those on the screen: 256 KB each. */
const mostTiles = 96;
/** Tiles asked for at once: the middle of the screen comes first. */
const atOnce = 3;

export interface MapChange { readonly view: View; readonly scale: Scale; readonly level: number; readonly ready: boolean; readonly problem?: string }

export class MapController {
  readonly extent: Extent;
  size: Size = { width: 1, height: 1 };
  view: View;
  kind: ScaleKind = 'linear';
  readonly #host: Pick<Client<PanelApi>, 'tile'>;
  readonly #head: HeadRef;
  readonly #painter: HeatPainter;
  readonly #causalOffset: number | undefined;
  readonly #changed: (change: MapChange) => void;
  readonly #failed: (error: unknown) => void;
  readonly #stopWatching: () => void;
  readonly #tiles = new Map<string, { readonly key: TileKey; readonly tile: Tile }>();
  readonly #asked = new Map<string, AbortController>();
  #most = 0;
  #problem: string | undefined;
  #frame = 0;
  #fitted = true;

  constructor(canvas: HTMLCanvasElement, of: { readonly host: Pick<Client<PanelApi>, 'tile'>; readonly head: HeadRef; readonly extent: Extent; readonly causalOffset: number | undefined; readonly view?: View; readonly changed: (change: MapChange) => void; readonly failed: (error: unknown) => void; /** The canvas can no longer be painted on. */ readonly lost: () => void }) {
    this.extent = of.extent;
    this.#host = of.host;
    this.#head = of.head;
    this.#causalOffset = of.causalOffset;
    this.#changed = of.changed;
    this.#failed = of.failed;
    this.#stopWatching = onThemeChange(() => this.redraw());
    this.#painter = heatPainter(canvas, of.lost);
    this.#fitted = of.view === undefined;
    this.view = of.view ?? fit(of.extent, this.size);
  }

  /** Undefined while the whole map is fitted: what is kept of an arrangement then survives another window size. */
  get chosenView(): View | undefined { return this.#fitted ? undefined : this.view; }
  get scale(): Scale { return probabilityScale(this.kind, this.#most); }
  /** What is painted, from the ground up. */
  get tiles(): readonly PlacedTile[] { return [...this.#maskedGround(), ...[...this.#tiles].sort((a, b) => b[1].key.level - a[1].key.level).map(([name, { tile }]) => ({ name, texels: tile, rows: tile.rows, cols: tile.cols }))]; }

  resize(size: Size): void {
    this.size = size;
    this.view = this.#fitted ? fit(this.extent, size) : clamp(this.view, this.extent, size);
    this.redraw();
  }
  move(view: View): void { this.#fitted = false; this.view = view; this.redraw(); }
  fit(): void { this.#fitted = true; this.view = fit(this.extent, this.size); this.redraw(); }
  setKind(kind: ScaleKind): void { this.kind = kind; this.redraw(); }

  /** Asks again for what failed. */
  again(): void { this.#problem = undefined; this.redraw(); }

  /** Paints in the next frame and asks for what is missing. */
  redraw(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#ask(); this.#paint(); });
  }

  dispose(): void {
    this.#stopWatching();
    cancelAnimationFrame(this.#frame);
    for (const asked of this.#asked.values()) asked.abort();
    this.#asked.clear();
    this.#painter.dispose();
  }

  #needed(): TileKey[] {
    return tilesFor(this.view, this.extent, this.size, devicePixelRatio).filter(key => !isAllMasked(tileSpan(key, this.extent), this.#causalOffset));
  }

  #ask(): void {
    if (this.size.width < 2) return;
    const needed = this.#needed(), names = new Set(needed.map(tileName));
    for (const [name, asked] of this.#asked) if (!names.has(name)) { asked.abort(); this.#asked.delete(name); }
    for (const key of needed) {
      const name = tileName(key);
      if (this.#tiles.has(name) || this.#asked.has(name) || this.#asked.size >= atOnce) continue;
      const stop = new AbortController();
      this.#asked.set(name, stop);
      const { rows, cols, height, width } = tileSpan(key, this.extent);
      this.#host.tile({ ...this.#head, rows, cols, height, width, of: 'prob', reduce: 'max' }, { signal: stop.signal }).then(tile => {
        this.#problem = undefined;
        this.#tiles.set(name, { key, tile });
        for (const value of tile.data) if (value > this.#most && value < Infinity) this.#most = value;
        this.#forget(names);
      }, (error: unknown) => {
        if (error instanceof Cancelled) return;
        this.#problem = error instanceof Error ? error.message : String(error);
        if (error instanceof PeerGone) this.#failed(error);
      }).finally(() => {
        if (this.#asked.get(name) === stop) this.#asked.delete(name);
        if (!this.#problem) this.redraw(); else this.#paint();
      });
    }
  }

  #forget(onScreen: ReadonlySet<string>): void {
    for (const name of this.#tiles.keys()) {
      if (this.#tiles.size <= mostTiles) break;
      if (!onScreen.has(name)) this.#tiles.delete(name);
    }
    this.#painter.keep(new Set(this.#tiles.keys()));
  }

  #paint(): void {
    const needed = this.#needed();
    this.#painter.draw({ view: this.view, size: this.size, devicePixels: devicePixelRatio, scale: this.scale, tiles: this.tiles, masked: maskedColour(), background: themeColour('--vscode-editor-background', [30, 30, 30]) });
    const ready = needed.every(key => this.#tiles.has(tileName(key)));
    this.#changed({ view: this.view, scale: this.scale, level: Math.min(levelFor(this.view, devicePixelRatio), topLevel(this.extent)), ready: ready && this.#tiles.size > 0, ...(this.#problem ? { problem: this.#problem } : {}) });
  }

  /** Under everything: the whole map as hidden cells, which is right for tiles that are never asked for. */
  #maskedGround(): readonly PlacedTile[] {
    return this.#causalOffset === undefined ? [] : [{ name: 'ground', texels: { height: 1, width: 1, data: Float32Array.of(NaN) }, rows: [0, this.extent.rows], cols: [0, this.extent.cols] }];
  }
}
