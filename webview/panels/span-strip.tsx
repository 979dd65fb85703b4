/** A brushed span in numbers: which keys its queries look at, or which queries look at its keys. */
import { useMemo } from 'preact/hooks';
import type { MapAxes } from '../marks/map-axes.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { spanMarks, spanText, type Span } from '../marks/span.ts';
import type { SpanMass } from './use-span.ts';

const listed = 12;

export function SpanStrip({ axes, span, mass: { values, sink, problem }, onLetGo }: { readonly axes: MapAxes; readonly span: Span; readonly mass: SpanMass; readonly onLetGo: () => void }) {
  const queries = span.of === 'rows', other = queries ? axes.cols : axes.rows, label = queries ? axes.colLabel : axes.rowLabel, marks = useMemo(() => values && spanMarks(values, other, span, listed), [values]);
  const self = axes.rowsAreTokens && axes.keysAreTokens && axes.queries === axes.keys, shares = marks && queries && self ? [['before it', marks.before], ['within itself', marks.within], ['behind it', marks.behind]] as const : [];
  return (
    <aside class="row-strip" aria-label="Selected span" data-testid="span-strip" data-of={span.of}>
      <h2>{queries ? 'Queries' : 'Keys'} {spanText(span)}<button type="button" class="link let-go" data-testid="let-go-span" title="Let the span go (Escape)" onClick={onLetGo}>selected ✕</button></h2>
      <p class="quiet">{queries ? `Where the attention of these ${(span.to - span.from).toLocaleString('en')} goes, as a mean over them` : `What these ${(span.to - span.from).toLocaleString('en')} get together of each query`}</p>
      {problem && <p class="failure" role="alert">{problem}</p>}
      {!values && !problem && <p class="quiet">…</p>}
      {values && !marks && <p class="quiet">Nothing here is visible to any query.</p>}
      {marks && (
        <>
          {!queries && <p data-testid="span-mean"><b>{percent(marks.mean)}</b> <span class="quiet">mean over the queries that see any of them</span></p>}
          {sink !== undefined && axes.sink && <p class="quiet">{Number.isNaN(sink) ? 'does not see' : `${percent(sink)} on`} <code>{axes.sink.token}</code>, set apart</p>}
          {shares.map(([where, share]) => <p key={where} data-testid="span-share"><b>{percent(share)}</b> <span class="quiet">{where}</span></p>)}
          <ol>
            {marks.top.map(({ cell, mass }) => (
              <li key={cell} data-testid="span-item" data-position={other.from[cell]}>
                <span class="position">{other.from[cell]}</span><code title={label(cell)}>{label(cell)}</code>
                <span class="bar"><span style={{ width: `${Math.max(0.5, Math.min(1, mass) * 100)}%` }} /></span>
                <span class="number">{mass < 1e-4 ? shortNumber(mass) : percent(mass)}</span>
              </li>
            ))}
          </ol>
          {queries && marks.rest > 0.0005 && <p class="quiet">{percent(marks.rest)} on other keys</p>}
        </>
      )}
    </aside>
  );
}
