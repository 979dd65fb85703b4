/** The Attention tab: one head in full, with what a row looks at beside it. */
import { useRef, useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { siteLabel } from '../../extension/contract/site.ts';
import { Button, Choice, TextField } from '../controls/toolkit.tsx';
import { findHead, labelOf, step, type Pick } from '../marks/head-picker.ts';
import { failure, standing } from '../marks/parity.ts';
import { percent, shortNumber } from '../marks/scale.ts';
import { tokenAt, shown } from '../marks/tokens.ts';
import { sideInput } from '../marks/sides.ts';
import { MapToolbar } from './map-toolbar.tsx';
import { MapView } from './map-view.tsx';
import type { Store } from './store.ts';

interface Props { readonly store: Store; readonly state: TracePanelState }

export function Attention({ store, state }: Props) {
  const { manifest } = state.open, { sites } = manifest, arrangement = store.arrangement.value;
  const [problem, setProblem] = useState<string | undefined>(), keys = useRef(new Map<string, () => void>()).current;
  const site = sites.find(one => one.name === arrangement.site) ?? sites[0];
  if (!site) return <p class="quiet">This trace has no sites.</p>;
  const pick: Pick = { site: site.name, head: Math.min(arrangement.head, (site.heads ?? 1) - 1) }, label = labelOf(sites, pick);
  const choose = (next: Pick): void => { setProblem(undefined); store.show(next.site, next.head); };
  const jump = (text: string): void => { const found = findHead(sites, text); if ('pick' in found) choose(found.pick); else setProblem(found.problem); };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = event.key === '[' ? () => choose(step(sites, pick, -1)) : event.key === ']' ? () => choose(step(sites, pick, 1)) : keys.get(event.key);
    if (!does) return;
    event.preventDefault();
    does();
  };
  const stats = manifest.heads[site.name]?.find(one => one.head === pick.head && one.batch === arrangement.batch), parity = manifest.parity[site.name], source = state.sources[site.name];
  const ask = (call: Promise<unknown>): void => { call.catch((error: unknown) => store.fail(error)); };
  keys.set('c', () => ask(store.host.copyLink({})));
  keys.set('e', () => ask(store.host.exportMap({})));
  const failed = standing(parity) === 'failed', absent = site.form === 'linear' && !state.open.implied.includes(site.name), samples = manifest.input.ids.length;
  return (
    <div class="attention" onKeyDown={onKey}>
      <div class="toolbar">
        <Button title="Previous head ([)" testid="previous-head" onPress={() => choose(step(sites, pick, -1))}>‹</Button>
        <TextField label="Head: L3H1, 3.1 or layer 3 head 1" value={label} size={14} problem={problem} testid="head-picker" onEnter={jump} />
        <Button title="Next head (])" testid="next-head" onPress={() => choose(step(sites, pick, 1))}>›</Button>
        {samples > 1 && <Choice label="Sample" testid="sample" value={String(arrangement.batch)} options={manifest.input.ids.map((_, i) => ({ value: String(i), text: `${i}` }))} onChoose={value => store.arrange({ batch: Number(value), view: undefined })} />}
        <span class="spacer" />
        {source && <Button testid="source" title={`Open ${source}`} onPress={() => store.host.revealSource({ site: site.name }).catch(error => store.fail(error))}>{source}</Button>}
        {!failed && !absent && <Button testid="save-image" title="Save what is shown as a PNG" onPress={() => keys.get('image')?.()}>Save image…</Button>}
        {!failed && !absent && <Button testid="export" title="Export as PNG, CSV or safetensors (e)" onPress={() => ask(store.host.exportMap({}))}>Export…</Button>}
        <Button testid="copy-link" title="Copy a link to this view (c)" onPress={() => ask(store.host.copyLink({}))}>Copy link</Button>
      </div>
      {problem && <p class="failure" role="alert" data-testid="picker-problem">{problem}</p>}
      <p class="head-facts" data-testid="head-facts">
        <b>{label}</b> <span class="quiet">{site.name}</span>
        {site.kvHeads !== null && site.heads !== null && site.kvHeads < site.heads && <span>key/value head {Math.floor(pick.head * site.kvHeads / site.heads)}, shared by {site.heads / site.kvHeads}</span>}
        {stats && <span title="The key that receives most from the queries that can see it">{percent(stats.sink)} on <code>{shown(tokenAt(sideInput(manifest.input, site, 'keys'), arrangement.batch, stats.sinkKey))}</code> (position {stats.sinkKey}){stats.sink > 0.3 ? ': a sink' : ''}</span>}
        {stats && <span title="Mean over queries">entropy {shortNumber(stats.patternEntropy)} nats</span>}
        {stats && site.kind === 'self' && site.form === 'dense' && <span>previous token {percent(stats.prevTokenScore)}</span>}
        {stats && site.kind === 'self' && site.form === 'dense' && <span>induction {percent(stats.inductionScore)}</span>}
        {site.form === 'linear' && <span data-testid="implied-fact" title="Its output is linear in v: how much of each v is in it. Signed, and they need not sum to 1.">implied weights of linear attention, no probabilities</span>}
        {parity && <span title={`${siteLabel(site)}, ${parity.rows} rows a head, tolerance ${shortNumber(parity.tolerance)}`} class={failed ? 'failure' : 'quiet'}>parity {parity.maxAbs === null ? 'not checked' : shortNumber(parity.maxAbs)}</span>}
      </p>
      {!failed && !absent && <MapToolbar {...{ store, state, site, keys }} head={pick.head} batch={arrangement.batch} />}
      {failed ? <p class="failure hatched notice" data-testid="not-drawn">{failure(site, parity)} It is not drawn.</p>
        : absent ? <p class="quiet notice" data-testid="not-kept">Linear attention has no probabilities. The weights that it implies were not kept: set attnscope.keepPatterns and trace again, or use attnscope trace --keep q,k,v,pattern.</p>
        : <MapView key={`${state.open.trace} ${arrangement.batch}`} store={store} state={state} site={site} keys={keys} head={pick.head} batch={arrangement.batch} />}
    </div>
  );
}
