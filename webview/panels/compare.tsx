/** The Compare panel: where two traces start to differ, every head by how much, the next tokens, and one head's maps beside each other. */
import type { ComparePanelState } from '../../extension/contract/api.ts';
import type { NextTokenDiff, TraceDiff } from '../../extension/contract/diff.ts';
import { Button, Choice } from '../controls/toolkit.tsx';
import { compareMetrics, headAt, points } from '../marks/compare.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { shown } from '../marks/tokens.ts';
import { CompareGrid } from './compare-grid.tsx';
import { CompareHead } from './compare-head.tsx';
import { CompareList } from './compare-list.tsx';
import type { CompareStore } from './compare-store.ts';

export function CompareApp({ store }: { readonly store: CompareStore }) {
  const state = store.state.value, diff = store.diff.value, failure = store.failure.value, progress = store.progress.value;
  const restart = (): void => { store.host.restartEngine({}).then(() => store.pull(), error => store.fail(error)); };
  return (
    <div class="app">
      {failure && (
        <div class="banner failed" role="alert" data-testid="error">
          <span>{failure.gone ? `The engine stopped. ${failure.sentence}` : failure.sentence}</span>
          {failure.gone ? <Button primary testid="restart" onPress={restart}>Restart engine</Button> : <Button testid="retry" onPress={() => void store.pull()}>Try again</Button>}
        </div>
      )}
      {!diff && !failure && (
        <div class="waiting compare-waiting" role="status">
          {store.cancelled.value ? <><span>Nothing was compared.</span> <Button testid="compare" onPress={() => void store.pull()}>Compare</Button></>
            : <><span>{progress?.total ? `Comparing ${progress.done} of ${progress.total} sites …` : 'Opening the traces …'}</span> <Button testid="cancel" onPress={() => store.cancel()}>Cancel</Button></>}
        </div>
      )}
      {state && diff && <Comparison store={store} state={state} diff={diff} />}
    </div>
  );
}

/** A change of a probability, and the relative change of an output. */
const tolerances: readonly { readonly value: string; readonly text: string }[] = [{ value: '0', text: 'rounding' }, ...['0.001', '0.01', '0.05', '0.1', '0.3'].map(value => ({ value, text: value }))];

interface Props { readonly store: CompareStore; readonly state: ComparePanelState; readonly diff: TraceDiff }

function Comparison({ store, state, diff }: Props) {
  const { metric, tolerance, batch, site, head } = store.arrangement.value, samples = Math.max(1, ...diff.sites.flatMap(one => one.heads.map(each => each.batch + 1))), next = diff.next.find(one => one.batch === batch);
  const options = compareMetrics.map(({ id, title }) => ({ value: id, text: title })), chosen = site === undefined ? undefined : headAt(diff, { site, head, batch });
  return (
    <div class="panel compare">
      <header class="summary">
        <div class="facts">
          <h1>{diff.models === 'same-graph' ? 'One graph, other weights' : diff.models === 'same' ? 'One model, two traces' : 'Two models'}</h1>
          <Side which="A" state={state.a} />
          <Side which="B" state={state.b} />
          <p class="sentence" data-testid="compare-sentence" data-level={diff.first ? 'differs' : diff.identical ? 'same' : 'within'}>{diff.sentence}</p>
          {diff.notes.map(note => <p key={note} class="quiet" data-testid="compare-note">{note}</p>)}
        </div>
        {next && <NextTokens next={next} />}
      </header>
      <section>
        <div class="toolbar">
          <h2>Heads</h2>
          <Choice label="Color by" testid="compare-metric" value={metric} options={options} onChoose={value => store.arrange({ metric: value })} />
          <Choice label="Differs over" testid="compare-tolerance" value={String(tolerance)} options={tolerances} onChoose={value => store.tolerate(Number(value))} />
          {store.progress.value && <span class="quiet" role="status">comparing …</span>}
          {samples > 1 && <Choice label="Sample" testid="sample" value={String(batch)} options={Array.from({ length: samples }, (_, i) => ({ value: String(i), text: `${i}` }))} onChoose={value => store.arrange({ batch: Number(value) })} />}
        </div>
        <div class="compare-heads">
          <CompareGrid store={store} diff={diff} />
          <CompareList store={store} diff={diff} />
        </div>
      </section>
      {chosen && <CompareHead key={`${site} ${head} ${batch}`} {...{ store, state, diff }} site={diff.sites.find(one => one.name === site)!} head={chosen} />}
    </div>
  );
}

function Side({ which, state: { file, manifest } }: { readonly which: 'A' | 'B'; readonly state: ComparePanelState['a'] }) {
  const name = file.split(/[\\/]/).pop() ?? file, tokens = manifest.input.ids.map(ids => ids.length).join(', ');
  return <p class="side" title={file}><b>{which}</b> {name} <span class="quiet">{manifest.model.file} · {tokens} tokens · traced {new Date(manifest.created).toLocaleString()}</span></p>;
}

/** What each trace would say next, and how far the two are apart as far as they store it. */
function NextTokens({ next }: { readonly next: NextTokenDiff }) {
  const share = (value: number | null) => (value === null ? <span class="quiet" title="Not among the tokens that this trace stores">–</span> : percent(value));
  const most = Math.max(1e-9, ...next.tokens.map(({ a, b }) => Math.abs((b ?? a ?? 0) - (a ?? b ?? 0))));
  return (
    <section class="next-change" aria-label="Change of the next token">
      <h2>Next token</h2>
      <table>
        <thead><tr><th scope="col">token</th><th scope="col">A</th><th scope="col">B</th><th scope="col" colSpan={2}>change</th></tr></thead>
        <tbody>
          {next.tokens.map(({ id, token, a, b }) => {
            const change = a === null || b === null ? undefined : b - a;
            return (
              <tr key={id} data-testid="next-change" data-token={token} data-a={a ?? undefined} data-b={b ?? undefined}>
                <th scope="row"><code>{shown(token)}</code></th><td>{share(a)}</td><td>{share(b)}</td><td>{change === undefined ? '' : points(change)}</td>
                <td class="change">{change !== undefined && <span class={change < 0 ? 'less' : 'more'} style={{ width: `${Math.abs(change) / most * 50}%` }} />}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="quiet" data-testid="next-kl">Only the {next.stored[0] === next.stored[1] ? next.stored[0] : next.stored.join(' and ')} most likely are stored: {next.js === null ? 'the two have none in common.' : next.js === 0 && next.tokens.every(({ a, b }) => a === b) ? 'they are equal.' : `KL(A‖B) is at least ${nats(next.klAB)}, KL(B‖A) ${nats(next.klBA)}.`}</p>
    </section>
  );
}

function nats(value: number | null): string { return value === null ? '∞' : `${shortNumber(value)} nats`; }
