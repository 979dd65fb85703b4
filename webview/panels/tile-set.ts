/** The tiles of one map: asks for what the window needs, gives up what left it, and keeps what was drawn within a budget. */
import type { Tile } from '../../extension/contract/api.ts';
import { Cancelled } from '../../extension/contract/errors.ts';
import { levelFor, overlap, tileName, tileSpan, tilesFor, topLevel, type TileKey, type TileSpan } from '../marks/tiles.ts';
import { visible, type Extent, type Size, type View } from '../marks/view.ts';
import type { PlacedTile } from '../paint/heat.ts';

/** Of one map; tiles on the screen are kept whatever they take. */
const mostBytes = 16 * 2 ** 20;
/** Tiles asked for at once: the middle of the screen comes first. */
const atOnce = 3;

export interface TilesOf {
  readonly extent: Extent;
  readonly load: (span: TileSpan, signal: AbortSignal) => Promise<Tile>;
  /** There is nothing to see in these cells: they are never asked for. */
  readonly empty: (span: TileSpan) => boolean;
  /** Something came, or failed: paint. */
  readonly changed: () => void;
  readonly arrived: (tile: Tile) => void;
  readonly failed: (error: unknown) => void;
}
interface Held { readonly key: TileKey; readonly tile: Tile; readonly span: TileSpan }
/** What a window shows: tiles from coarse to fine, places whose tiles are yet to come and have nothing under them, and whether every needed tile is there. */
export interface Shown { readonly tiles: readonly PlacedTile[]; readonly pending: readonly Pick<TileSpan, 'rows' | 'cols'>[]; readonly ready: boolean; readonly level: number }

export class TileSet {
  readonly #of: TilesOf;
  /** The longest unused first. */
  readonly #held = new Map<string, Held>();
  readonly #asked = new Map<string, AbortController>();
  #bytes = 0;
  problem: string | undefined;

  constructor(of: TilesOf) { this.#of = of; }

  get names(): ReadonlySet<string> { return new Set(this.#held.keys()); }

  /** Asks for what is missing in this window, and says what there is. */
  show(view: View, size: Size, devicePixels: number): Shown {
    const { extent } = this.#of, level = Math.min(levelFor(view, devicePixels), topLevel(extent)), sight = visible(view, extent, size);
    const needed = tilesFor(view, extent, size, devicePixels).flatMap(key => { const span = tileSpan(key, extent); return this.#of.empty(span) ? [] : [{ key, span, name: tileName(key) }]; }), names = new Set(needed.map(one => one.name));
    for (const [name, asked] of this.#asked) if (!names.has(name)) { asked.abort(); this.#asked.delete(name); }
    if (size.width >= 2 && this.problem === undefined) for (const { name, span, key } of needed) if (!this.#held.has(name) && !this.#asked.has(name) && this.#asked.size < atOnce) this.#ask(name, key, span);
    const missing = needed.filter(one => !this.#held.has(one.name));
    for (const name of names) { const held = this.#held.get(name); if (held) { this.#held.delete(name); this.#held.set(name, held); } }
    this.#forget(names);
    // Whatever is under complete tiles is not painted at all.
    const under = missing.length ? [...this.#held.values()].filter(({ key, span }) => !names.has(tileName(key)) && overlap(span, sight) && missing.some(one => overlap(one.span, span))).sort((a, b) => b.key.level - a.key.level) : [];
    const placed = ({ key, tile, span }: Held): PlacedTile => ({ name: tileName(key), texels: tile, rows: span.rows, cols: span.cols });
    return { tiles: [...under.map(placed), ...needed.flatMap(({ name }) => { const held = this.#held.get(name); return held ? [placed(held)] : []; })], pending: missing.map(one => one.span), ready: !missing.length && this.#held.size > 0, level };
  }

  /** Asks again for what failed. */
  again(): void { this.problem = undefined; }

  dispose(): void {
    for (const asked of this.#asked.values()) asked.abort();
    this.#asked.clear();
    this.#held.clear();
  }

  #ask(name: string, key: TileKey, span: TileSpan): void {
    const stop = new AbortController();
    this.#asked.set(name, stop);
    this.#of.load(span, stop.signal).then(tile => {
      if (stop.signal.aborted) return;
      this.problem = undefined;
      this.#held.set(name, { key, tile, span });
      this.#bytes += tile.data.byteLength;
      this.#of.arrived(tile);
    }, (error: unknown) => {
      if (error instanceof Cancelled || stop.signal.aborted) return;
      this.problem = error instanceof Error ? error.message : String(error);
      this.#of.failed(error);
    }).finally(() => {
      if (this.#asked.get(name) === stop) this.#asked.delete(name);
      if (!stop.signal.aborted) this.#of.changed();
    });
  }

  #forget(onScreen: ReadonlySet<string>): void {
    for (const [name, { tile }] of this.#held) {
      if (this.#bytes <= mostBytes) return;
      if (onScreen.has(name)) continue;
      this.#held.delete(name);
      this.#bytes -= tile.data.byteLength;
    }
  }
}
