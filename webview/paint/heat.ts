/** What every heat-map painter does, and which one this browser can have. */
import { probabilityScale, type Scale } from '../marks/scale.ts';
import type { Size, View } from '../marks/view.ts';
import { heat2d } from './heat-2d.ts';
import { heatGl } from './heat-gl.ts';

/** A tile's values, row-major; NaN where no query sees a key. */
export interface Texels { readonly height: number; readonly width: number; readonly data: Float32Array }
/** A tile and the cells that it covers. */
export interface PlacedTile { readonly name: string; readonly texels: Texels; readonly rows: readonly [number, number]; readonly cols: readonly [number, number] }

export interface Frame {
  readonly view: View;
  readonly size: Size;
  readonly devicePixels: number;
  readonly scale: Scale;
  /** RGBA bytes, [256, 4]. */
  readonly colours: Uint8Array;
  /** Under everything else. */
  readonly ground?: readonly PlacedTile[];
  /** Cells of which nothing is known yet: they look like the page, not like hidden cells. */
  readonly pending?: readonly Pick<PlacedTile, 'rows' | 'cols'>[];
  /** Coarse ones first: later tiles cover earlier ones. */
  readonly tiles: readonly PlacedTile[];
  /** Of cells that no query sees, as [r, g, b] in 0 … 255. */
  readonly masked: readonly [number, number, number];
  /** Around the map. */
  readonly background: readonly [number, number, number];
}

export interface HeatPainter {
  readonly kind: 'webgl2' | 'canvas2d';
  draw(frame: Frame): void;
  /** Frees what was kept of tiles other than these. */
  keep(names: ReadonlySet<string>): void;
  dispose(): void;
}

/** Whether WebGL2 works in this page; false for good once it failed. A canvas that had a WebGL context can have no other: hence the trial on one of its own. */
let works: boolean | undefined;

/** Finds out whether WebGL2 works, and has the shaders compiled for maps to come: a page that waits for its trace does this meanwhile. */
export function warmPainter(): void {
  if (works !== undefined) return;
  const trial = heatGl(document.createElement('canvas'), () => undefined);
  works = trial !== undefined;
  trial?.draw({ view: { row: 0, col: 0, cell: 1 }, size: { width: 2, height: 2 }, devicePixels: 1, scale: probabilityScale('linear', 1), colours: new Uint8Array(1024), tiles: [{ name: '', texels: { height: 1, width: 1, data: new Float32Array(1) }, rows: [0, 1], cols: [0, 1] }], masked: [0, 0, 0], background: [0, 0, 0] });
  trial?.dispose();
}

/** WebGL2 where it works, else a plain canvas. `lost`: the graphics card gave the context up, and the map needs a new canvas. */
export function heatPainter(canvas: HTMLCanvasElement, lost: () => void): HeatPainter {
  warmPainter();
  const gaveUp = (): void => { works = false; lost(); };
  if (!works) return heat2d(canvas);
  const painter = heatGl(canvas, gaveUp);
  if (painter) return painter;
  // What worked a moment ago does not any more, and this canvas is spent.
  setTimeout(gaveUp);
  return { kind: 'webgl2', draw: () => undefined, keep: () => undefined, dispose: () => undefined };
}
