/** The trace editor: banners, tabs, and the tab that is chosen. */
import { Button } from '../controls/toolkit.tsx';
import { Tabs } from '../controls/tabs.tsx';
import { Attention } from './attention.tsx';
import { Grounding } from './grounding.tsx';
import { Overview } from './overview.tsx';
import { StepsBar } from './steps-bar.tsx';
import { Waiting } from './waiting.tsx';
import type { TabId } from './arrangement.ts';
import type { Store } from './store.ts';

const tabs: readonly { readonly id: TabId; readonly title: string }[] = [{ id: 'overview', title: 'Overview' }, { id: 'attention', title: 'Attention' }], grounding = { id: 'grounding', title: 'Grounding' } as const;

export function App({ store }: { readonly store: Store }) {
  const state = store.state.value, failure = store.failure.value, there = state?.open.manifest.input.images?.length ? [...tabs, grounding] : tabs, tab = there.find(one => one.id === store.arrangement.value.tab)?.id ?? 'overview';
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
      {!state && !failure && <Waiting store={store} />}
      {state && (
        <>
          <Tabs tabs={there} chosen={tab} onChoose={id => store.arrange({ tab: id })} />
          <StepsBar store={store} state={state} />
          <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} class="panel">
            {tab === 'overview' ? <Overview store={store} state={state} /> : tab === 'grounding' ? <Grounding store={store} state={state} /> : <Attention store={store} state={state} />}
          </div>
        </>
      )}
    </div>
  );
}
