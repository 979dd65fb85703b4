/** How a person arranged the panel: the only thing a page keeps, and what is made of it when it comes back. */
import type { ScaleKind } from '../marks/scale.ts';
import type { View } from '../marks/view.ts';
import { restoreGrounding, type GroundingArrangement } from '../marks/grounding.ts';
import { restoreMap, type MapOptions } from './map-options.ts';
import { restoreOverview, type OverviewArrangement } from './overview-arrangement.ts';

export type TabId = 'overview' | 'attention' | 'grounding';
export interface Arrangement {
  readonly tab: TabId;
  readonly batch: number;
  readonly site?: string;
  readonly head: number;
  readonly scale: ScaleKind;
  /** Of the map of `site` and `head`; fitted when undefined. */
  readonly view?: View;
  readonly map: MapOptions;
  /** Of a generation, from 0; all of it when undefined. */
  readonly step?: number | undefined;
  /** Of the heads in the Overview; plain when undefined. */
  readonly overview?: OverviewArrangement;
  /** Of the Grounding tab; plain when undefined. */
  readonly grounding?: GroundingArrangement;
}

/** What `getState()` gave, which another version of the extension may have written: whatever is not understood falls back. */
export function restore(kept: unknown): Arrangement {
  const from: { readonly [K in keyof Arrangement]?: unknown } = typeof kept === 'object' && kept !== null ? kept : {};
  const oneOf = <T extends string>(value: unknown, options: readonly T[]): T => options.find(option => option === value) ?? options[0];
  return {
    tab: oneOf(from.tab, ['overview', 'attention', 'grounding']),
    batch: isCount(from.batch) ? from.batch : 0,
    ...(typeof from.site === 'string' ? { site: from.site } : {}),
    head: isCount(from.head) ? from.head : 0,
    scale: oneOf(from.scale, ['linear', 'gamma', 'log']),
    map: restoreMap(from.map),
    ...(isView(from.view) ? { view: { row: from.view.row, col: from.view.col, cell: from.view.cell } } : {}),
    ...(isCount(from.step) ? { step: from.step } : {}),
    ...(from.overview === undefined ? {} : { overview: restoreOverview(from.overview) }),
    ...(from.grounding === undefined ? {} : { grounding: restoreGrounding(from.grounding) }),
  };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

function isView(value: unknown): value is View {
  if (typeof value !== 'object' || value === null) return false;
  const { row, col, cell } = value as { readonly row?: unknown; readonly col?: unknown; readonly cell?: unknown };
  return [row, col, cell].every(part => Number.isFinite(part) && (part as number) >= 0) && (cell as number) > 0;
}
