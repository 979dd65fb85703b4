/** The card beside a head that is pointed at or in focus: all of its numbers. */
import type { Signal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { MetricCard, TraceInput } from '../../extension/contract/trace.ts';
import { sinkWords } from '../marks/head-words.ts';
import { isGrouped, metricOf, metricText } from '../marks/heads.ts';
import type { Hot } from './head-grid.tsx';

/** A mouse that passes over the grid is not followed by a card: it rests first. */
const restMs = 150;

interface Props { readonly hot: Signal<Hot | undefined>; readonly input: TraceInput; readonly batch: number; readonly cards: readonly MetricCard[]; readonly card: MetricCard }

/** Must lie in a positioned element that also holds what the card is about. */
export function HeadCard({ hot, input, batch, cards, card }: Props) {
  const [shown, setShown] = useState<Hot | undefined>(), pointed = hot.value, now = pointed?.by === 'list' ? undefined : pointed, element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!now || now.by === 'focus' || shown) { setShown(now); return undefined; }
    const wait = setTimeout(() => setShown(now), restMs);
    return () => clearTimeout(wait);
  }, [now]);
  useLayoutEffect(() => {
    const own = element.current;
    if (!own || !shown?.element.isConnected) return;
    const about = shown.element.getBoundingClientRect(), frame = own.offsetParent!.getBoundingClientRect(), gap = 6, left = Math.min(Math.max(0, about.left - frame.left), frame.width - own.offsetWidth);
    const below = about.bottom + gap + own.offsetHeight <= innerHeight || about.top - gap - own.offsetHeight < 0;
    own.style.left = `${Math.max(0, left)}px`;
    own.style.top = `${below ? about.bottom - frame.top + gap : about.top - frame.top - gap - own.offsetHeight}px`;
  });
  if (!shown) return null;
  const { entry } = shown, sink = sinkWords(entry, input, batch);
  return (
    <div class="hover-card head-card" ref={element} data-testid="head-card" data-label={entry.label} aria-hidden="true">
      <p><b>{entry.label}</b> <span class="quiet">{entry.site.name}{isGrouped(entry.site) ? `, key/value head ${entry.kv}` : ''}{entry.site.alignmentHeads?.includes(entry.head) ? ', alignment head' : ''}</span></p>
      {entry.failed ? <p class="failure">Not drawn: its site failed the parity check.</p> : (
        <dl>
          {cards.flatMap(one => {
            const value = metricOf(entry, one);
            return value === undefined && one !== card ? [] : [<div key={one.name} class={one === card ? 'chosen' : undefined}><dt>{one.title}</dt><dd>{metricText(one, value)}</dd></div>];
          })}
        </dl>
      )}
      {sink !== undefined && <p class="share">a sink: {sink}</p>}
    </div>
  );
}
