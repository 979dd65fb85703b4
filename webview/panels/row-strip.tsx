/** The row in focus in numbers: which keys it looks at most, and how widely. */
import type { TracePanelState } from '../../extension/contract/api.ts';
import { rowMarks } from '../marks/row.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { around, shown } from '../marks/tokens.ts';
import type { Cell } from '../marks/view.ts';

interface Props { readonly state: TracePanelState; readonly batch: number; readonly focus: Cell | undefined; readonly values: Float32Array | undefined; readonly keyLabel: (key: number) => string }

export function RowStrip({ state, batch, focus, values, keyLabel }: Props) {
  const { input } = state.open.manifest;
  if (!focus) return <aside class="row-strip" aria-label="Row in focus"><h2>Row</h2><p class="quiet">Point at a cell, or move with the arrow keys, to see what its query looks at.</p></aside>;
  const marks = values && rowMarks(values, 10), text = around(input, batch, focus.row, 40);
  return (
    <aside class="row-strip" aria-label="Row in focus" data-testid="row-strip">
      <h2>Query {focus.row}</h2>
      <p class="context">{text.before}<mark>{shown(text.here)}</mark>{text.after}</p>
      {!values && <p class="quiet">…</p>}
      {values && !marks && <p class="quiet">This query sees no key.</p>}
      {marks && (
        <>
          <p class="quiet" title="exp(entropy): as many keys, looked at evenly, would have this entropy">entropy {shortNumber(marks.entropyNats)} nats, as if {shortNumber(marks.effectiveKeys)} of {marks.visibleKeys} visible keys</p>
          <ol>
            {marks.top.map(({ key, probability }) => (
              <li key={key} class={key === focus.col ? 'here' : undefined} data-testid="row-key" data-key={key}>
                <span class="position">{key}</span><code title={keyLabel(key)}>{keyLabel(key)}</code>
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
