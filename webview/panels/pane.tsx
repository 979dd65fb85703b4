/** What a head's pane is given, whether it draws a map or lines, and the line above it that says what is shown. */
import type { TracePanelState } from '../../extension/contract/api.ts';
import type { Site } from '../../extension/contract/site.ts';
import type { MapAxes } from '../marks/map-axes.ts';
import { sinkPart } from '../marks/map-title.ts';
import type { PicturePane } from '../paint/picture.ts';
import type { MapChange, ScaleTop } from './map-controller.ts';
import type { Store } from './store.ts';
import type { SpanMass } from './use-span.ts';

/** What a pane can be asked for while it is on the screen. `cells`: half-open ranges of cells; `rows`, `cols`: of positions. */
export interface PaneHandle {
  readonly inSight: () => { readonly cells: { readonly rows: readonly [number, number]; readonly cols: readonly [number, number] }; readonly rows: readonly [number, number]; readonly cols: readonly [number, number] };
  readonly picture: () => PicturePane;
}

export interface PaneProps {
  readonly store: Store; readonly state: TracePanelState; readonly site: Site; readonly head: number; readonly batch: number; readonly axes: MapAxes;
  /** Of the colours, shared by all panes. */
  readonly top: ScaleTop;
  /** The chosen head, not a pinned one; and the only one. */
  readonly primary: boolean; readonly alone: boolean;
  /** What the selected span looks at or gets, where it is known already; a pinned pane asks for its own. */
  readonly spanMass: SpanMass | undefined;
  /** By label. */
  readonly handles: Map<string, PaneHandle>;
  readonly onUnpin: (() => void) | undefined;
  readonly onSpoken: (text: string) => void;
  readonly onChange: (label: string, change: Pick<MapChange, 'scale' | 'level'>) => void;
}

interface TitleProps { readonly label: string; readonly alone: boolean; readonly parts: readonly string[]; readonly sink: MapAxes['sink']; readonly noSink: boolean; readonly onUnpin: (() => void) | undefined }

/** Nothing for one head without any reduction: its name stands above already. */
export function PaneTitle({ label, alone, parts, sink, noSink, onUnpin }: TitleProps) {
  if (alone && !parts.length && !noSink && !sink) return <div />;
  return (
    <h3 class="pane-title" data-testid="pane-title">
      <b>{label}</b>
      {sink && <span class="sink-share" data-testid="sink-share">{sinkPart(sink)}</span>}
      {noSink && <span class="quiet" title="The sink of a head is the key that takes over 30% of the attention of the queries that can see it">no sink to set apart</span>}
      {onUnpin && <button type="button" class="link" aria-label={`Unpin ${label}`} title={`Unpin ${label}`} data-testid="unpin" onClick={onUnpin}>✕</button>}
      {parts.length > 0 && <span class="quiet">{parts.join(' · ')}</span>}
    </h3>
  );
}
