/** Heads ranked by the chosen metric, beside the grid or above it; a click opens one. */
import { useRef, useState } from 'preact/hooks';
import type { Manifest, MetricCard } from '../../extension/contract/trace.ts';
import { headSentence, sinkWords } from '../marks/head-words.ts';
import { metricNumber, rank, type HeadEntry } from '../marks/heads.ts';
import type { Hot } from './head-grid.tsx';
import { keyOf } from './overview-row.tsx';
import type { Store } from './store.ts';

interface Props {
  readonly store: Store;
  readonly manifest: Manifest;
  readonly batch: number;
  readonly cards: readonly MetricCard[];
  readonly card: MetricCard;
  readonly lowest: boolean;
  /** Those that the filter passes. */
  readonly entries: readonly HeadEntry[];
  /** The largest number of the sample: a bar's whole length. */
  readonly most: number;
  readonly beside: boolean;
  readonly onHot: (hot: Hot | undefined) => void;
}

const more = 50;

export function Ranking({ store, manifest, batch, cards, card, lowest, entries, most, beside, onHot }: Props) {
  const few = beside ? 20 : 12, [extra, setExtra] = useState(0), [stop, setStop] = useState<string | undefined>(), list = useRef<HTMLOListElement>(null);
  const ranked = rank(entries, card, lowest), shown = ranked.slice(0, few + extra), left = entries.length - ranked.length, tab = shown.some(({ entry }) => keyOf(entry) === stop) ? stop : shown[0] && keyOf(shown[0].entry);
  const keys = (event: KeyboardEvent): void => {
    const buttons = [...list.current?.querySelectorAll<HTMLElement>('button') ?? []], at = buttons.indexOf(event.target as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, to))].focus();
  };
  const told = (target: EventTarget | null): void => {
    const key = (target as HTMLElement | null)?.closest?.<HTMLElement>('[data-key]')?.dataset['key'], entry = shown.find(one => keyOf(one.entry) === key)?.entry, cell = key === undefined ? null : document.querySelector<HTMLElement>(`[data-testid="head-cell"][data-key="${key}"]`);
    onHot(entry && cell ? { entry, element: cell, by: 'list' } : undefined);
  };
  return (
    <aside class={`ranking${beside ? ' beside' : ''}${card.name === 'sink' ? ' with-key' : ''}`} aria-label={`Heads by ${card.title.toLowerCase()}`} data-testid="ranking">
      <h3>{lowest ? 'Lowest' : 'Highest'} {card.title.toLowerCase()}</h3>
      {!ranked.length && <p class="quiet">No head has this number.</p>}
      <ol ref={list} onKeyDown={keys} onPointerOver={event => told(event.target)} onPointerLeave={() => onHot(undefined)} onFocusIn={event => { setStop((event.target as HTMLElement).dataset['key']); told(event.target); }} onFocusOut={() => onHot(undefined)}>
        {shown.map(({ entry, value }, i) => {
          const sink = card.name === 'sink' ? sinkWords(entry, manifest.input, batch)?.replace(/^\S+ /, '') : undefined;
          return (
            <li key={keyOf(entry)}>
              <button type="button" data-testid="ranked-head" data-label={entry.label} data-key={keyOf(entry)} data-value={value} tabIndex={keyOf(entry) === tab ? 0 : -1} aria-label={`${i + 1}. ${headSentence(entry, manifest.input, batch, cards, card)}`} onClick={() => store.show(entry.site.name, entry.head)}>
                <span class="position">{i + 1}</span><b>{entry.label}</b>
                <span class="bar"><span style={{ width: `${most > 0 ? Math.min(1, value / most) * 100 : 0}%` }} /></span>
                <span class="number">{metricNumber(card, value)}</span>
                {sink !== undefined && <code>{sink}</code>}
              </button>
            </li>
          );
        })}
      </ol>
      {ranked.length > shown.length && <button type="button" class="link" data-testid="ranking-more" onClick={() => setExtra(extra + more)}>Show {Math.min(more, ranked.length - shown.length)} more of {ranked.length}</button>}
      {ranked.length > 0 && left > 0 && <p class="quiet">{left} {left === 1 ? 'head has' : 'heads have'} no such number.</p>}
    </aside>
  );
}
