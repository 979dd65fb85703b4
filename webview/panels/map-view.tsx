/** The chosen head and those pinned beside it, on one scale, with the legend, the row in numbers, and what can be taken out of it. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { headLabel, type Site } from '../../extension/contract/site.ts';
import { Button } from '../controls/toolkit.tsx';
import { cellOf } from '../marks/bands.ts';
import { mapAxes, type MapAxes } from '../marks/map-axes.ts';
import { mapTitle, wordsPart } from '../marks/map-title.ts';
import { standing } from '../marks/parity.ts';
import { spanSentence } from '../marks/span.ts';
import { pictureOf } from '../paint/picture.ts';
import { Legend } from './legend.tsx';
import { LinesPane } from './lines-pane.tsx';
import { ScaleTop, type MapChange } from './map-controller.ts';
import { mapTable } from './map-file.ts';
import { MapPane } from './map-pane.tsx';
import type { PaneHandle } from './pane.tsx';
import { RowStrip } from './row-strip.tsx';
import type { DrawnMap, Store } from './store.ts';
import { SpanStrip } from './span-strip.tsx';
import { useRow } from './use-row.ts';
import { useSpan } from './use-span.ts';
import { useThrottled } from './use-throttled.ts';

interface Props { readonly store: Store; readonly state: TracePanelState; readonly site: Site; readonly head: number; readonly batch: number; /** Filled with what the tab's keys and buttons do. */ readonly keys: Map<string, () => void> }
interface Shown { readonly site: Site; readonly head: number; readonly axes: MapAxes }

export function MapView({ store, state, site, head, batch, keys }: Props) {
  const { manifest, trace, extents } = state.open, { input } = manifest, { map: options } = store.arrangement.value, label = headLabel(site, head);
  const axesFor = (of: Site, h: number): MapAxes => mapAxes({ input, batch, site: of, mask: manifest.masks[of.name], extent: extents[of.name] ?? { queries: 1, keys: 1 }, stats: manifest.heads[of.name]?.find(one => one.head === h && one.batch === batch), options });
  const panes: readonly Shown[] = useMemo(() => {
    const pinned = options.pins.flatMap(pin => { const found = manifest.sites.find(one => one.name === pin.site); return found && pin.head < (found.heads ?? 0) && standing(manifest.parity[pin.site]) !== 'failed' && (found.form === 'linear') === (site.form === 'linear') && !(pin.site === site.name && pin.head === head) ? [{ site: found, head: pin.head }] : []; });
    return [{ site, head }, ...pinned].map(one => ({ ...one, axes: axesFor(one.site, one.head) }));
  }, [state, site, head, batch, options.pins, options.words, options.hideSpecial, options.sinkApart, options.renormalised]);
  const { axes } = panes[0], linked = store.linked.value;
  // One scale for all of them: it begins anew with other numbers.
  const top = useMemo(() => { const made = new ScaleTop(store.linkedTop); store.linkedTop = undefined; return made; }, [axes.id, trace, label, linked]);
  const handles = useRef(new Map<string, PaneHandle>()), [change, setChange] = useState<Pick<MapChange, 'scale' | 'level'> | undefined>(), [speech, setSpeech] = useState(''), spoken = useThrottled(speech);
  const focusQuery = options.chosen ?? store.focus.value?.query, rowCell = focusQuery === undefined ? undefined : cellOf(axes.rows, focusQuery), row = useRow(store, { trace, site: site.name, batch, head }, axes, rowCell);
  const span = axes.of === 'prob' ? options.span : undefined, spanMass = useSpan(store, { trace, site: site.name, batch, head }, axes, span);
  useEffect(() => { if (span && spanMass.values) setSpeech(spanSentence(axes, span, spanMass.values)); }, [spanMass.values]);
  const colCell = store.focus.value === undefined ? undefined : cellOf(axes.cols, store.focus.value.key), signed = axes.of === 'implied', lines = options.drawn === 'lines' && !signed, stem = `${manifest.model.file.replace(/\.onnx$/, '')}-${label}`, what = signed ? 'implied weight' : probabilityName(axes);
  const titleOf = (of: Shown): string => `${mapTitle({ label: headLabel(of.site, of.head), words: of.axes.words, hidden: of.axes.hidden, sink: of.axes.sink, renormalised: of.axes.renormalised, pooled: 1 })} · ${manifest.model.file}`;
  const file: DrawnMap['file'] = async as => {
    if (as !== 'png') {
      const cells = as === 'csv' ? handles.current.get(label)?.inSight().cells : undefined;
      return { name: `${stem}.csv`, bytes: await mapTable(store, { trace, site: site.name, batch, head }, axes, titleOf(panes[0]), cells?.rows ?? [0, axes.rows.count], cells?.cols ?? [0, axes.cols.count]) };
    }
    const pictures = panes.flatMap(one => { const handle = handles.current.get(headLabel(one.site, one.head)); return handle ? [handle.picture()] : []; });
    return { name: `${stem}.png`, bytes: await pictureOf({ title: `${manifest.model.file} · ${axes.rowTime ? `${axes.queries} positions` : `${axes.queries} tokens`}`, panes: pictures, scale: change!.scale, colours: options.colours, what, lines, signed }) };
  };
  useEffect(() => {
    const drawn: DrawnMap = { label, top: () => top.value, inSight: () => { const { rows, cols } = handles.current.get(label)?.inSight() ?? { rows: [0, axes.queries] as const, cols: [0, axes.keys] as const }; return { site: site.name, head, rows, cols }; }, file };
    store.drawn = drawn;
    return () => { if (store.drawn === drawn) store.drawn = undefined; };
  });
  keys.set('image', () => { file('png').then(({ name, bytes }) => store.host.saveImage({ name, png: bytes })).catch((error: unknown) => store.fail(error)); });
  // A map that is replaced (another head, other cells) takes the keyboard's focus with it: give it to its successor.
  const mapHasFocus = useRef(false), column = useRef<HTMLDivElement>(null);
  // Before the next key is heard.
  useLayoutEffect(() => { if (mapHasFocus.current && (document.activeElement === document.body || document.activeElement === null)) column.current?.querySelector<HTMLElement>('[role="application"]')?.focus(); });
  const Pane = lines ? LinesPane : MapPane, across = panes.length <= 3 ? panes.length : panes.length === 4 ? 2 : 3;
  return (
    <div class="map-and-row">
      <div class="map-column">
        {panes.length > 1 && axes.words && <p class="quiet" data-testid="shared-title">{wordsPart}</p>}
        <div class="panes" style={{ gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` }} data-testid="panes" data-count={panes.length} ref={column}
          onFocusIn={event => { mapHasFocus.current = (event.target as HTMLElement).getAttribute('role') === 'application'; }} onFocusOut={event => { if (event.relatedTarget) mapHasFocus.current = false; }}>
          {panes.map((one, n) => (
            <Pane key={`${trace} ${one.site.name} ${one.head} ${batch} ${linked}`} {...{ store, state, batch, top }} site={one.site} head={one.head} axes={one.axes} primary={n === 0} alone={panes.length === 1} spanMass={n === 0 ? spanMass : undefined} handles={handles.current}
              onUnpin={n === 0 ? undefined : () => store.draw({ pins: options.pins.filter(pin => !(pin.site === one.site.name && pin.head === one.head)) })} onSpoken={setSpeech} onChange={(_, next) => setChange(next)} />
          ))}
        </div>
        <div class="below">
          <Legend change={change} what={what} colours={options.colours} lines={lines} signed={signed} />
          <span class="spacer" />
          {!lines && <Button testid="fit" title="Fit the whole map (0, or double-click)" onPress={() => store.arrange({ view: undefined })}>Fit</Button>}
        </div>
      </div>
      {span && !lines ? <SpanStrip axes={axes} span={span} mass={spanMass} onLetGo={() => store.draw({ span: undefined })} /> : <RowStrip batch={batch} axes={axes} cell={rowCell} here={colCell} row={row} chosen={options.chosen !== undefined} onLetGo={() => store.draw({ chosen: undefined })} />}
      <span class="spoken" aria-live="polite" data-testid="spoken">{spoken}</span>
    </div>
  );
}

function probabilityName(axes: MapAxes): string { return `probability${axes.renormalised ? ', rows renormalized' : ''}${axes.words ? ', summed to words' : ''}`; }
