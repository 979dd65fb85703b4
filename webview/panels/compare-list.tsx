/** The heads that differ, worst first, with every metric. */
import { useState } from 'preact/hooks';
import type { TraceDiff } from '../../extension/contract/diff.ts';
import { Button } from '../controls/toolkit.tsx';
import { compareMetrics, metricOf, ranked } from '../marks/compare.ts';
import { shortNumber } from '../marks/scale.ts';
import type { CompareStore } from './compare-store.ts';

const mostShown = 12;

export function CompareList({ store, diff }: { readonly store: CompareStore; readonly diff: TraceDiff }) {
  const [all, setAll] = useState(false), { metric, batch, site, head } = store.arrangement.value, heads = ranked(diff, metricOf(metric), batch), shownHeads = all ? heads : heads.slice(0, mostShown);
  if (!heads.length) return <p class="quiet" data-testid="compare-no-heads">Every number of every head is exactly the same.</p>;
  return (
    <div class="compare-list">
      <table data-testid="compare-list">
        <thead><tr><th scope="col">head</th>{compareMetrics.map(one => <th key={one.id} scope="col" title={one.help} aria-sort={one.id === metric ? 'descending' : undefined}><button type="button" class="link" onClick={() => store.arrange({ metric: one.id })}>{one.brief}{one.id === metric ? ' ▾' : ''}</button></th>)}</tr></thead>
        <tbody>
          {shownHeads.map(({ place, head: one }) => (
            <tr key={place.label} class={place.site === site && place.head === head ? 'here' : undefined} data-testid="compare-worst" data-label={place.label}>
              <th scope="row"><button type="button" class="link" onClick={() => store.arrange({ site: place.site, head: place.head, batch: place.batch })}>{place.label}</button></th>
              {compareMetrics.map(kind => { const value = kind.value(one); return <td key={kind.id} class={one.above ? undefined : 'quiet'}>{value === undefined ? '–' : shortNumber(value)}</td>; })}
            </tr>
          ))}
        </tbody>
      </table>
      {heads.length > mostShown && <Button testid="compare-more" onPress={() => setAll(!all)}>{all ? 'Fewer' : `${heads.length - mostShown} more`}</Button>}
    </div>
  );
}
