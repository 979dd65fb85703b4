/** The trace editor: banners, tabs, and the tab that is chosen. */
import { Button } from '../controls/toolkit.tsx';
import { Tabs } from '../controls/tabs.tsx';
import { Attention } from './attention.tsx';
import { Overview } from './overview.tsx';
import type { TabId } from './arrangement.ts';
import type { Store } from './store.ts';

const tabs: readonly { readonly id: TabId; readonly title: string }[] = [{ id: 'overview', title: 'Overview' }, { id: 'attention', title: 'Attention' }];

export function App({ store }: { readonly store: Store }) {
  const state = store.state.value, failure = store.failure.value, { tab } = store.arrangement.value;
  const attempt = (work: Promise<unknown>): void => { work.then(() => store.pull(), error => store.fail(error)); };
  return (
    <div class="app">
      {failure && (
        <div class="banner failed" role="alert" data-testid="error">
          <span>{failure.gone ? `The engine stopped. ${failure.sentence}` : failure.sentence}</span>
          {failure.gone ? <Button primary testid="restart" onPress={() => attempt(store.host.restartEngine({}))}>Restart engine</Button> : <Button testid="retry" onPress={() => void store.pull()}>Try again</Button>}
        </div>
      )}
      {state?.stale && (
        <div class="banner stale" role="status" data-testid="stale-banner">
          <span><b>Stale:</b> {state.stale}</span>
          <Button primary testid="retrace" onPress={() => attempt(store.host.retrace({}))}>Trace again</Button>
        </div>
      )}
      {!state && !failure && <p class="waiting" role="status">Opening the trace …</p>}
      {state && (
        <>
          <Tabs tabs={tabs} chosen={tab} onChoose={id => store.arrange({ tab: id })} />
          <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} class="panel">
            {tab === 'overview' ? <Overview store={store} state={state} /> : <Attention store={store} state={state} />}
          </div>
        </>
      )}
    </div>
  );
}
