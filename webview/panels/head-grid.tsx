/** The grid of heads: one Tab stop, arrows from head to head, Enter opens one; what is pointed at or in focus is told to `onHot`. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { moveIn, type HeadSection } from '../marks/head-rows.ts';
import type { HeadEntry } from '../marks/heads.ts';
import { keyOf, Row, type RowLook } from './overview-row.tsx';
import type { Store } from './store.ts';

/** A head, and the element that it was met on. */
export interface Hot { readonly entry: HeadEntry; readonly element: HTMLElement; readonly by: 'pointer' | 'focus' | 'list' }

interface Props { readonly store: Store; readonly state: TracePanelState; readonly sections: readonly HeadSection[]; readonly look: RowLook; readonly onHot: (hot: Hot | undefined) => void }

export function HeadGrid({ store, state, sections, look, onHot }: Props) {
  const [wanted, setWanted] = useState<{ readonly row: number; readonly col: number } | undefined>(), rows = useMemo(() => sections.flatMap(section => section.rows), [sections]), grid = useRef<HTMLDivElement>(null), current = useRef<string | undefined>(undefined);
  const { site, head } = store.arrangement.value, places = useMemo(() => new Map(rows.flatMap((row, at) => row.cells.flatMap((cell, col) => (cell.faint ? [] : [[keyOf(cell.entry), { row: at, col }] as const])))), [rows]);
  // Tab comes back to the head that was met last, at first to the one that is open.
  const opened = state.open.manifest.sites.findIndex(one => one.name === site);
  const stop = places.get(current.current ?? `${opened}.${head}`) ?? places.values().next().value;
  const cellOf = (target: EventTarget | null): { readonly element: HTMLElement; readonly row: number; readonly col: number; readonly entry: HeadEntry } | undefined => {
    const element = (target as HTMLElement | null)?.closest?.<HTMLElement>('[data-testid="head-cell"]');
    if (!element) return undefined;
    const row = Number(element.dataset['row']), col = Number(element.dataset['col']), cell = rows[row]?.cells[col];
    return cell && !cell.faint ? { element, row, col, entry: cell.entry } : undefined;
  };
  useEffect(() => () => onHot(undefined), [sections, look]);
  // Other rows: what the keyboard went to last may be elsewhere.
  useEffect(() => setWanted(undefined), [sections]);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') onHot(undefined);
    const from = cellOf(event.target), to = from && !event.altKey && !event.shiftKey ? moveIn(rows, from, event.key, event.ctrlKey || event.metaKey) : undefined;
    if (!to) return;
    event.preventDefault();
    setWanted({ row: to.row, col: to.col });
  };
  const focused = (event: FocusEvent): void => {
    const at = cellOf(event.target);
    if (!at) return;
    grid.current?.querySelectorAll<HTMLElement>('[data-testid="head-cell"][tabindex="0"]').forEach(element => { element.tabIndex = -1; });
    at.element.tabIndex = 0;
    current.current = keyOf(at.entry);
    if (look.virtual && wanted?.row !== at.row) setWanted({ row: at.row, col: at.col });
    if (at.element.matches(':focus-visible')) onHot({ entry: at.entry, element: at.element, by: 'focus' });
  };
  const { size } = look;
  // After the row that the keyboard goes to has its cells.
  useLayoutEffect(() => { if (wanted) grid.current?.querySelector<HTMLElement>(`[data-row="${wanted.row}"][data-col="${wanted.col}"]`)?.focus(); }, [wanted]);
  let row = 0;
  return (
    <div class={`grid${size.small ? ' small' : ''}${look.heat ? ' heat' : ''}${look.order === 'layers' ? '' : ' ordered'}`} ref={grid} role="grid" aria-label="Heads" aria-rowcount={rows.length} style={{ '--thumb': `${size.thumb}px`, '--step': `${size.step}px`, '--inset': `${size.inset}px` }} data-testid="head-grid"
      onKeyDown={keys} onFocusIn={focused} onFocusOut={() => onHot(undefined)} onScroll={() => onHot(undefined)}
      onPointerOver={event => { const at = event.pointerType === 'touch' ? undefined : cellOf(event.target); onHot(at && { entry: at.entry, element: at.element, by: 'pointer' }); }} onPointerLeave={() => onHot(undefined)}
      onClick={event => { const at = cellOf(event.target); if (at) store.show(at.entry.site.name, at.entry.head); }}>
      {sections.map(section => (
        <div key={section.key} role="rowgroup" aria-label={section.title} class="section">
          {section.title !== undefined && <h3 aria-hidden="true" data-testid="section-title">{section.title}</h3>}
          {look.heat && look.order === 'layers' && !section.rows.some(one => one.groups.length) && <div class="columns" aria-hidden="true">{longest(section).map((cell, col) => <span key={col} style={{ left: `${look.label + col * size.step}px` }}>{size.small ? '' : 'H'}{cell.entry.head}</span>)}</div>}
          {section.rows.map(one => { const at = row++; return <Row key={one.key} look={look} row={one} at={at} tab={stop?.row === at ? stop.col : -1} held={stop?.row === at || wanted?.row === at} />; })}
        </div>
      ))}
    </div>
  );
}

function longest(section: HeadSection): HeadSection['rows'][number]['cells'] {
  return section.rows.reduce((most, row) => (row.cells.length > most.length ? row.cells : most), section.rows[0].cells);
}
