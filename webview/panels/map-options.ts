/** How the map of the Attention tab is drawn: part of the arrangement, and of links. */
import type { AxesOptions } from '../marks/map-axes.ts';
import type { Pick } from '../marks/head-picker.ts';
import { restoreSpan, type Span } from '../marks/span.ts';
import { colourMaps, type ColourMapId } from '../paint/colour-maps.ts';

/** A query and a key, as positions. */
export interface Focus { readonly query: number; readonly key: number }

export interface MapOptions extends AxesOptions {
  readonly drawn: 'map' | 'lines';
  readonly colours: ColourMapId;
  /** Heads beside the chosen one. */
  readonly pins: readonly Pick[];
  /** The query whose row is shown as bars, a position. */
  readonly chosen?: number | undefined;
  /** Brushed on a ruler; then `chosen` is undefined. */
  readonly span?: Span | undefined;
  /** Of links only: the cell in focus, and the top of the scale. */
  readonly focus?: Focus | undefined;
  readonly top?: number | undefined;
}

export const mostPins = 5;

/** Whatever is not understood falls back. */
export function restoreMap(kept: unknown): MapOptions {
  const from: { readonly [K in keyof MapOptions]?: unknown } = typeof kept === 'object' && kept !== null ? kept : {}, focus = from.focus as Partial<Focus> | undefined;
  return {
    drawn: from.drawn === 'lines' ? 'lines' : 'map',
    colours: colourMaps.find(map => map.id === from.colours)?.id ?? 'viridis',
    words: from.words === true, hideSpecial: from.hideSpecial === true, sinkApart: from.sinkApart === true, renormalised: from.renormalised === true,
    pins: Array.isArray(from.pins) ? from.pins.slice(0, mostPins).filter(isPick).map(({ site, head }) => ({ site, head })) : [],
    ...(restoreSpan(from.span) ? { span: restoreSpan(from.span) } : isPosition(from.chosen) ? { chosen: from.chosen } : {}),
    ...(typeof focus === 'object' && focus !== null && isPosition(focus.query) && isPosition(focus.key) ? { focus: { query: focus.query, key: focus.key } } : {}),
    ...(typeof from.top === 'number' && from.top > 0 && from.top <= 1 ? { top: from.top } : {}),
  };
}

function isPosition(value: unknown): value is number { return Number.isSafeInteger(value) && (value as number) >= 0; }
function isPick(value: unknown): value is Pick { return typeof value === 'object' && value !== null && typeof (value as Pick).site === 'string' && isPosition((value as Pick).head); }
