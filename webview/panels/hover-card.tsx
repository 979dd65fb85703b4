/** What lies under the pointer: the probability, and the text around query and key. */
import type { TraceInput } from '../../extension/contract/trace.ts';
import type { MapAxes } from '../marks/map-axes.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { around, shown } from '../marks/tokens.ts';
import type { Size } from '../marks/view.ts';

interface Props { readonly x: number; readonly y: number; readonly frame: Size; readonly batch: number; readonly axes: MapAxes; readonly row: number; readonly col: number; readonly probability: number | undefined; readonly score: number | undefined }

const cardWidth = 420, cardHeight = 112, cardGap = 14;

/** Beside the pointer, on the side that has more room. */
export function HoverCard({ x, y, frame, batch, axes, row, col, probability, score }: Props) {
  const line = (what: string, from: number, to: number, isToken: boolean, input: TraceInput, time: MapAxes['rowTime']) => {
    const place = to - from > 1 ? `${from}–${to - 1}` : String(from);
    if (time) return <p><span class="quiet">{what}</span> {time(from, to)} <span class="quiet">position {place}</span></p>;
    if (!isToken) return <p><span class="quiet">{what}</span> #{place}</p>;
    const text = around(input, batch, from, 20, to);
    return <p><span class="quiet">{what} {place}</span> {inLine(text.before)}<mark>{shown(text.here)}</mark>{inLine(text.after)}</p>;
  };
  const across = x > frame.width / 2 ? { right: `${frame.width - x + cardGap}px`, maxWidth: `${Math.min(cardWidth, Math.max(180, x - cardGap))}px` } : { left: `${x + cardGap}px`, maxWidth: `${Math.min(cardWidth, Math.max(180, frame.width - x - cardGap))}px` };
  const down = y + cardGap + cardHeight > frame.height ? { bottom: `${frame.height - y + cardGap}px` } : { top: `${y + cardGap}px` };
  const seen = probability !== undefined && !Number.isNaN(probability);
  return (
    <div class="hover-card" data-testid="hover-card" style={{ ...across, ...down }}>
      <p class="large" data-testid="hover-probability">{probability === undefined ? '…' : !seen ? 'not visible' : axes.of === 'implied' ? shortNumber(probability) : percent(probability)} {seen && axes.of === 'implied' && <span class="quiet">implied weight {probability.toPrecision(4)}</span>}{seen && axes.of === 'prob' && <span class="quiet">p = {probability.toPrecision(4)}{axes.renormalised ? ' (renormalized)' : ''}{score !== undefined && Number.isFinite(score) ? `, score ${shortNumber(score)}` : ''}</span>}</p>
      {line(axes.rowName, axes.rows.from[row], axes.rows.to[row], axes.rowsAreTokens, axes.rowInput, axes.rowTime)}
      {line(axes.colName, axes.cols.from[col], axes.cols.to[col], axes.keysAreTokens, axes.colInput, axes.colTime)}
    </div>
  );
}

/** Line ends as signs: a card of three lines stays one. */
function inLine(text: string): string { return text.replace(/\r?\n/g, '⏎'); }
