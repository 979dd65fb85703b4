/** The row in focus, or the chosen one, in numbers: which keys it looks at most, and how widely. */
import { useMemo } from 'preact/hooks';
import type { MapAxes } from '../marks/map-axes.ts';
import { rowMarks, weightMarks } from '../marks/row.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { around, shown } from '../marks/tokens.ts';
import type { Row } from './use-row.ts';

interface Props {
  readonly batch: number; readonly axes: MapAxes;
  /** Cell of the rows, and of the columns. */
  readonly cell: number | undefined; readonly here: number | undefined;
  readonly row: Row;
  /** It stays while the pointer moves. */
  readonly chosen: boolean; readonly onLetGo: () => void;
}

export function RowStrip({ batch, axes, cell, here, row: { values, sink }, chosen, onLetGo }: Props) {
  // A row of a long map has tens of thousands of keys, and the map beside it moves.
  const weights = useMemo(() => (values && axes.of === 'implied' ? weightMarks(values, 10) : undefined), [values, axes.of]), marks = useMemo(() => (values && axes.of === 'prob' ? rowMarks(values, 10) : undefined), [values, axes.of]);
  if (cell === undefined) return <aside class="row-strip" aria-label="Row in focus"><h2>Row</h2><p class="quiet">Point at a cell, or move with the arrow keys, to see what its query looks at. Click, or press Enter, to keep the row and see it as bars.</p></aside>;
  const from = axes.rows.from[cell], to = axes.rows.to[cell], text = axes.rowTime ? { before: '', here: axes.rowTime(from, to), after: '' } : around(axes.rowInput, batch, from, 40, to);
  // Only a whole distribution has an entropy.
  const whole = axes.renormalised || (!axes.sink && !axes.hidden);
  return (
    <aside class="row-strip" aria-label={chosen ? 'Chosen row' : 'Row in focus'} data-testid="row-strip" data-chosen={chosen}>
      <h2>{axes.rowName[0].toUpperCase()}{axes.rowName.slice(1)} {to - from > 1 ? `${from}–${to - 1}` : from}{chosen && <button type="button" class="link let-go" data-testid="let-go" title="Let the row go (Escape)" onClick={onLetGo}>chosen ✕</button>}</h2>
      <p class="context">{text.before}<mark>{axes.rowsAreTokens ? shown(text.here) : `#${from}`}</mark>{text.after}</p>
      {!values && <p class="quiet">…</p>}
      {sink !== undefined && axes.sink && <p class="quiet" data-testid="row-sink">{Number.isNaN(sink) ? 'does not see' : percent(sink)} {Number.isNaN(sink) ? '' : 'on '}<code>{axes.sink.token}</code>, set apart</p>}
      {values && !marks && !weights && <p class="quiet">{axes.sink || axes.hidden ? 'This query sees no key of those shown.' : 'This query sees no key.'}</p>}
      {weights && (
        <>
          <p class="quiet">implied weights, largest in size first: signed, and no probabilities</p>
          <ol class="weights">
            {weights.map(({ key, weight }) => (
              <li key={key} class={key === here ? 'here' : undefined} data-testid="row-key" data-key={axes.cols.from[key]} data-weight={weight}>
                <span class="position">{axes.cols.from[key]}</span><code title={axes.colLabel(key)}>{axes.colLabel(key)}</code>
                <span class="bar"><span class={weight < 0 ? 'negative' : undefined} style={{ width: `${Math.max(0.5, Math.abs(weight / (weights[0].weight || 1)) * 100)}%` }} /></span>
                <span class="number">{shortNumber(weight)}</span>
              </li>
            ))}
          </ol>
        </>
      )}
      {marks && (
        <>
          {whole && <p class="quiet" title="exp(entropy): as many keys, looked at evenly, would have this entropy">entropy {shortNumber(marks.entropyNats)} nats, as if {shortNumber(marks.effectiveKeys)} of {marks.visibleKeys} {axes.words ? 'words' : 'visible keys'}</p>}
          {axes.renormalised && <p class="quiet">shares of what the keys shown have together</p>}
          <ol>
            {marks.top.map(({ key, probability }) => (
              <li key={key} class={key === here ? 'here' : undefined} data-testid="row-key" data-key={axes.cols.from[key]}>
                <span class="position">{axes.cols.from[key]}</span><code title={axes.colLabel(key)}>{axes.colLabel(key)}</code>
                <span class="bar"><span style={{ width: `${Math.max(0.5, probability * 100)}%` }} /></span>
                <span class="number">{percent(probability)}</span>
              </li>
            ))}
          </ol>
          {marks.rest > 0.0005 && <p class="quiet">{percent(marks.rest)} on other keys</p>}
        </>
      )}
    </aside>
  );
}
