/** The Grounding tab: where on the image a token of the language model, or a patch of the vision tower, looks. */
import { useMemo, useRef } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { headLabel, siteLabel } from '../../extension/contract/site.ts';
import { Segments } from '../controls/segments.tsx';
import { Toggle } from '../controls/toggle.tsx';
import { Choice } from '../controls/toolkit.tsx';
import { chipsOf, firstToken, layerChoices, lookOf, peakOf, plainGrounding, rowOfToken, sinkWords, sitesOf, towersOf, viewChoices, type GroundingArrangement } from '../marks/grounding.ts';
import { probabilityScale } from '../marks/scale.ts';
import { shown } from '../marks/tokens.ts';
import { colourMaps } from '../paint/colour-maps.ts';
import { GroundingImage } from './grounding-image.tsx';
import { Masses, Shares } from './grounding-side.tsx';
import { TokenStrip } from './grounding-tokens.tsx';
import { Legend } from './legend.tsx';
import type { Store } from './store.ts';
import { useLook, usePicture } from './use-look.ts';
import './grounding.css';

interface Props { readonly store: Store; readonly state: TracePanelState }

export function Grounding({ store, state }: Props) {
  const { open } = state, { manifest } = open, { batch, map, grounding = plainGrounding } = store.arrangement.value, image = manifest.input.images?.[batch], towers = useMemo(() => towersOf(open, batch), [open, batch]);
  const tower = towers[grounding.tower].length ? grounding.tower : towers.language.length ? 'language' : 'vision', sites = towers[tower], states = tower === 'language' && sites.some(site => open.streams.includes(site.name)), arrangement: GroundingArrangement = { ...grounding, tower, sinks: states ? grounding.sinks : 'attention' };
  const chosen = sitesOf(sites, arrangement.layers), count = manifest.input.ids[batch]?.length ?? 0, heads = Math.max(1, ...chosen.map(site => site.heads ?? 1)), head = Math.min(arrangement.head, heads - 1);
  const asked = lookOf({ ...arrangement, head }, chosen, count), request = asked && { trace: open.trace, batch, ...asked }, { look, of, problem } = useLook(store, request);
  const every = lookOf({ ...arrangement, head: -1, withoutSinks: false }, sites, count), whole = useLook(store, every && { trace: open.trace, batch, ...every });
  const picture = usePicture(store, open.trace, image?.picture), keys = useRef(new Map<string, () => void>()).current;
  const next = manifest.next[batch]?.[0]?.token, chips = useMemo(() => chipsOf(manifest.input, batch, next), [manifest, batch, next]);
  if (!image) return <p class="quiet notice" data-testid="no-image">This trace has no image.</p>;
  const set = (change: Partial<GroundingArrangement>): void => store.arrange({ grounding: { ...(store.arrangement.peek().grounding ?? plainGrounding), tower, ...change } });
  const token = arrangement.token ?? firstToken(count, arrangement.row);
  const who = tower === 'language' ? token === count && next !== undefined ? `next token “${shown(next)}”` : `“${chips.find(chip => chip.token === token)?.text ?? `token ${token}`}”` : arrangement.cell < 0 ? (arrangement.cell === -1 ? 'CLS' : `extra token ${-1 - arrangement.cell}`) : `patch at row ${Math.floor(arrangement.cell / Math.max(1, image.patches.columns))}, column ${arrangement.cell % Math.max(1, image.patches.columns)}`;
  const what = `${chosen.length === 1 ? (head < 0 ? `${siteLabel(chosen[0])}, mean over heads` : headLabel(chosen[0], head)) : `${look?.sites.length ?? chosen.length} layers, ${head < 0 ? 'mean over heads' : `head ${head}`}`}`;
  const extra = open.grids[sites[0]?.name]?.queries.extra ?? 0, views = tower === 'language' ? viewChoices(image) : [];
  for (const [key, does] of Object.entries({
    '[': () => set({ head: Math.max(-1, head - 1) }), ']': () => set({ head: Math.min(heads - 1, head + 1) }), s: () => set({ withoutSinks: !arrangement.withoutSinks }), e: () => set({ cells: arrangement.cells === 'smooth' ? 'exact' : 'smooth' }),
  })) keys.set(key, does);
  const onKey = (event: KeyboardEvent): void => {
    const does = event.ctrlKey || event.metaKey || event.altKey || (event.target as HTMLElement).closest('input, vscode-dropdown') ? undefined : keys.get(event.key);
    if (does) { event.preventDefault(); does(); }
  };
  if (!sites.length) return <p class="quiet notice" data-testid="no-grounding">{towers.problem ?? 'No site of this trace has positions that are patches of the image, and no token of the prompt stands for it.'}</p>;
  return (
    <div class="grounding" onKeyDown={onKey}>
      <div class="toolbar options" role="toolbar" aria-label="Grounding">
        {towers.language.length > 0 && towers.vision.length > 0 && <Segments label="Who looks" testid="tower" value={tower} options={[{ value: 'language', text: 'Tokens' }, { value: 'vision', text: 'Patches' }]} onChoose={value => set({ tower: value, layers: 'middle', head: -1 })} />}
        <Choice label="Layers" testid="grounding-layers" value={chosen.length === 1 && (arrangement.layers === chosen[0].name || sites.length === 1) ? chosen[0].name : chosen.length === sites.length ? 'all' : 'middle'} options={layerChoices(sites)} onChoose={layers => set({ layers })} />
        <Choice label="Head" testid="grounding-head" value={String(head)} options={[{ value: '-1', text: 'Mean' }, ...Array.from({ length: heads }, (_, n) => ({ value: String(n), text: `H${n}` }))]} onChoose={value => set({ head: Number(value) })} />
        {tower === 'language' && <Choice label="Row" testid="grounding-row" value={arrangement.row} options={[{ value: 'predicting', text: 'Predicting the token' }, { value: 'own', text: 'The token\'s own' }]} onChoose={row => set({ row, ...(row === 'own' && token >= count ? { token: count - 1 } : {}) })} />}
        <Choice label="Colors" testid="grounding-colours" value={map.colours} options={colourMaps.map(({ id, text }) => ({ value: id, text }))} onChoose={colours => store.draw({ colours })} />
        <span class="toggles">
          <Toggle on={arrangement.cells === 'exact'} testid="exact-cells" title="Exact cells instead of smooth ones (e)" onPress={keys.get('e')!}>Exact cells</Toggle>
          <Toggle on={arrangement.withoutSinks} testid="without-sinks" title="Take out cells that are looked at whatever a row is about, and divide the rest by its sum (s)" onPress={keys.get('s')!}>Without sinks</Toggle>
        </span>
        {states && <Choice label="Sinks by" testid="sinks-by" value={arrangement.sinks} options={[{ value: 'attention', text: 'Attention' }, { value: 'state', text: 'Hidden state' }]} onChoose={by => set({ sinks: by })} />}
        {views.length > 0 && <Choice label="View" testid="grounding-view" value={String(arrangement.view)} options={views} onChoose={value => set({ view: value === 'sum' ? 'sum' : Number(value) })} />}
        <label class="opacity">Opacity <input type="range" min="0" max="100" step="5" value={Math.round(arrangement.opacity * 100)} data-testid="opacity" aria-label="Opacity of the attention over the image" onInput={event => set({ opacity: Number(event.currentTarget.value) / 100 })} /></label>
      </div>
      {tower === 'language'
        ? <TokenStrip chips={chips} chosen={token} possible={at => rowOfToken(at, arrangement.row, count) !== undefined} onChoose={at => set({ token: at })} />
        : extra > 0 && <div class="toggles" role="group" aria-label="Tokens that are no patches">{Array.from({ length: extra }, (_, n) => <Toggle key={n} on={arrangement.cell === -1 - n} testid="extra-token" title={n ? `Extra token ${n}: a register or distillation token` : 'The first token, CLS in most models'} onPress={() => set({ cell: -1 - n })}>{n ? `Extra ${n}` : 'CLS'}</Toggle>)}<span class="quiet">or click a patch</span></div>}
      {problem && <p class="failure" role="alert" data-testid="grounding-problem">{problem}</p>}
      {!asked && <p class="quiet" role="status">No row predicts the first token. Choose another, or its own row.</p>}
      <div class="image-and-side">
        {picture ? <GroundingImage image={image} picture={picture} look={asked ? look : undefined} ready={of !== undefined && of === (request && JSON.stringify(request))} arrangement={arrangement} colours={map.colours} label={`Where ${who} looks, ${what}`} {...(tower === 'vision' ? { onChoose: (cell: number) => set({ cell }) } : {})} /> : <p class="quiet" role="status">Loading the image …</p>}
        <aside class="grounding-side">
          <p data-testid="grounding-title"><b>{who}</b> <span class="quiet">{what}</span></p>
          {look && asked && <Masses masses={look.masses} language={tower === 'language'} />}
          {look && asked && (arrangement.withoutSinks || look.sinks.some(share => share > 0) || look.state) && <p class="quiet" data-testid="sinks-found">{sinkWords(look)}</p>}
          {whole.look && <Shares sites={sites} shares={whole.look.shares} chosen={{ site: arrangement.layers, head }} colours={map.colours} onChoose={(layers, at) => set({ layers, head: at })} />}
        </aside>
      </div>
      <Legend change={look && { scale: probabilityScale('linear', peakOf(look.cells)), level: 0 }} what={arrangement.withoutSinks ? 'share of what falls on the image without sinks' : 'probability of a cell'} colours={map.colours} lines={false} />
    </div>
  );
}
