/** One map on the screen: which tiles it needs, where it is, which cell is in focus; the hands are in map-view.tsx. */
import type { Client } from '../../extension/contract/rpc.ts';
import type { HeadRef, PanelApi } from '../../extension/contract/api.ts';
import { PeerGone } from '../../extension/contract/errors.ts';
import { tileRequest, type MapAxes } from '../marks/map-axes.ts';
import { probabilityScale, signedScale, type Scale, type ScaleKind } from '../marks/scale.ts';
import { isAllMasked } from '../marks/tiles.ts';
import { reach } from '../marks/bands.ts';
import { clamp, fit, type Extent, type Size, type View } from '../marks/view.ts';
import { heatPainter, type HeatPainter, type PlacedTile } from '../paint/heat.ts';
import { colourTable, type ColourMapId } from '../paint/colour-maps.ts';
import { divergingColours } from '../paint/diverging.ts';
import { maskedColour, onThemeChange, themeColour } from '../paint/theme.ts';
import { TileSet } from './tile-set.ts';

/** The largest value of all maps that share a scale; it only rises. */
export class ScaleTop {
  static #made = 0;
  readonly #listeners = new Set<() => void>();
  readonly id = ++ScaleTop.#made;
  value: number;
  constructor(value = 0) { this.value = value; }
  raise(value: number): void {
    if (!(value > this.value && value < Infinity)) return;
    this.value = value;
    for (const listener of this.#listeners) listener();
  }
  onRise(listener: () => void): () => void { this.#listeners.add(listener); return () => this.#listeners.delete(listener); }
}

export interface MapLook { readonly kind: ScaleKind; readonly colours: ColourMapId }
export interface MapOf {
  readonly host: Pick<Client<PanelApi>, 'tile'>; readonly head: HeadRef; readonly axes: MapAxes; readonly top: ScaleTop; readonly look: MapLook; readonly view: View | undefined;
  readonly changed: (change: MapChange) => void;
  /** A hand moved the map: what it shows now, undefined when fitted. */
  readonly moved: (view: View | undefined) => void;
  readonly failed: (error: unknown) => void;
  /** The canvas can no longer be painted on. */
  readonly lost: () => void;
}
export interface MapChange { readonly view: View; readonly scale: Scale; readonly level: number; readonly ready: boolean; /** Tiles that are painted. */ readonly tiles: number; readonly problem?: string }

export class MapController {
  readonly extent: Extent;
  size: Size = { width: 1, height: 1 };
  view: View;
  readonly #of: MapOf;
  readonly #painter: HeatPainter;
  readonly #stop: readonly (() => void)[];
  readonly #tiles: TileSet;
  #look: MapLook;
  #frame = 0;
  #fitted: boolean;

  constructor(canvas: HTMLCanvasElement, of: MapOf) {
    this.#of = of;
    this.#look = of.look;
    this.extent = { rows: of.axes.rows.count, cols: of.axes.cols.count };
    this.#painter = heatPainter(canvas, of.lost);
    const { axes } = of;
    this.#tiles = new TileSet({
      extent: this.extent,
      load: ({ rows, cols, height, width }, signal) => of.host.tile(tileRequest(of.head, axes, rows, cols, { height, width }, 'max'), { signal }),
      empty: ({ rows, cols }) => isAllMasked({ rows: reach(axes.rows, rows), cols: reach(axes.cols, cols) }, axes.causalOffset),
      changed: () => this.redraw(), arrived: tile => of.top.raise(axes.of === 'implied' ? Math.max(largest(tile.data), largest(tile.data.map(value => -value))) : largest(tile.data)), failed: error => { if (error instanceof PeerGone) of.failed(error); },
    });
    this.#stop = [onThemeChange(() => this.redraw()), of.top.onRise(() => this.redraw())];
    this.#fitted = of.view === undefined;
    this.view = of.view ?? fit(this.extent, this.size);
  }

  get scale(): Scale { return this.#of.axes.of === 'implied' ? signedScale(this.#of.top.value) : probabilityScale(this.#look.kind, this.#of.top.value); }
  /** RGBA bytes [256, 4] of the scale. */
  get colours(): Uint8Array { return this.#of.axes.of === 'implied' ? divergingColours() : colourTable[this.#look.colours]; }
  /** What is painted, from the ground up. */
  get tiles(): readonly PlacedTile[] { return [...this.#maskedGround(), ...this.#tiles.show(this.view, this.size, devicePixelRatio).tiles]; }

  resize(size: Size): void {
    this.size = size;
    this.view = this.#fitted ? fit(this.extent, size) : clamp(this.view, this.extent, size);
    this.redraw();
  }
  /** By hand: tells others. */
  move(view: View | undefined): void { this.show(view); this.#of.moved(view && this.view); }
  /** Undefined: the whole map. What is kept of an arrangement then survives another window size. */
  show(view: View | undefined): void {
    this.#fitted = view === undefined;
    this.view = view ? clamp(view, this.extent, this.size) : fit(this.extent, this.size);
    this.redraw();
  }
  set look(look: MapLook) { this.#look = look; this.redraw(); }

  /** Asks again for what failed. */
  again(): void { this.#tiles.again(); this.redraw(); }

  /** Paints in the next frame and asks for what is missing. */
  redraw(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.#paint(); });
  }

  dispose(): void {
    for (const stop of this.#stop) stop();
    cancelAnimationFrame(this.#frame);
    this.#tiles.dispose();
    this.#painter.dispose();
  }

  #paint(): void {
    const { tiles, pending, ready, level } = this.#tiles.show(this.view, this.size, devicePixelRatio), { problem } = this.#tiles, ground = this.#maskedGround();
    this.#painter.keep(new Set([...this.#tiles.names, ...ground.map(one => one.name)]));
    this.#painter.draw({ view: this.view, size: this.size, devicePixels: devicePixelRatio, scale: this.scale, ground, pending, tiles, colours: this.colours, masked: maskedColour(), background: themeColour('--vscode-editor-background', [30, 30, 30]) });
    this.#of.changed({ view: this.view, scale: this.scale, level, ready, tiles: tiles.length, ...(problem ? { problem } : {}) });
  }

  /** Under everything: the whole map as hidden cells, which is right for tiles that are never asked for. */
  #maskedGround(): readonly PlacedTile[] {
    return this.#of.axes.causalOffset === undefined ? [] : [{ name: 'ground', texels: { height: 1, width: 1, data: Float32Array.of(NaN) }, rows: [0, this.extent.rows], cols: [0, this.extent.cols] }];
  }
}

function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) if (value > most && value < Infinity) most = value;
  return most;
}
