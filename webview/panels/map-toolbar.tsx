/** What can be changed about the maps: scale, colours, lines, sink, special tokens, words, pins, and the search. */
import { useMemo, useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import type { Site } from '../../extension/contract/site.ts';
import { SearchField } from '../controls/search-field.tsx';
import { Choice } from '../controls/toolkit.tsx';
import { Toggle } from '../controls/toggle.tsx';
import { findText, nextMatch } from '../marks/find-text.ts';
import { specialPositions } from '../marks/map-axes.ts';
import type { ScaleKind } from '../marks/scale.ts';
import { hasWords } from '../marks/words.ts';
import { colourMaps } from '../paint/colour-maps.ts';
import { keyHelp } from './map-keys.ts';
import { mostPins, type MapOptions } from './map-options.ts';
import { isSound, sideInput } from '../marks/sides.ts';
import type { Store } from './store.ts';

interface Props { readonly store: Store; readonly state: TracePanelState; readonly site: Site; readonly head: number; readonly batch: number; /** Filled with what the tab's keys do. */ readonly keys: Map<string, () => void> }

const scales: readonly { readonly value: ScaleKind; readonly text: string }[] = [{ value: 'linear', text: 'Linear' }, { value: 'gamma', text: 'Gamma 0.5' }, { value: 'log', text: 'Log' }];

export function MapToolbar({ store, state, site, head, batch, keys }: Props) {
  const own = state.open.manifest.input, input = useMemo(() => sideInput(own, site, 'queries'), [own, site]), arrangement = store.arrangement.value, options = arrangement.map, extent = state.open.extents[site.name], keysAreTokens = site.kind === 'self' && extent?.queries === extent?.keys, timed = isSound(own, site, 'queries');
  const rowsAreTokens = (input.tokens[batch] ?? []).length === extent?.queries, special = useMemo(() => specialPositions(input, batch).size, [input, batch]), joinable = rowsAreTokens && !timed && hasWords(input, batch);
  const [text, setText] = useState(''), [help, setHelp] = useState(false), matches = useMemo(() => (rowsAreTokens ? findText(input, batch, text) : []), [input, batch, text, rowsAreTokens]);
  const focus = store.focus.value, at = focus ? matches.indexOf(focus.query) : -1;
  const go = (position: number | undefined): void => { if (position !== undefined) store.focus.value = { query: position, key: keysAreTokens ? position : focus?.key ?? 0 }; };
  const step = (by: 1 | -1): void => go(nextMatch(matches, store.focus.peek()?.query, by));
  // Cells become others: what was in sight is no measure of what will be.
  const cells = (change: Partial<MapOptions>): void => { store.arrange({ view: undefined }); store.draw(change); };
  const pinned = options.pins.some(pin => pin.site === site.name && pin.head === head);
  // Keys may follow each other before the next drawing: what they change is read when they are pressed.
  const now = (): MapOptions => store.arrangement.peek().map;
  const pin = (): void => {
    const { site: name = site.name, head: at } = store.arrangement.peek(), { pins } = now(), others = pins.filter(one => !(one.site === name && one.head === at));
    if (others.length < pins.length) store.draw({ pins: others }); else if (pins.length < mostPins) store.draw({ pins: [...pins, { site: name, head: at }] });
  };
  // Weights of linear attention have a scale of their own, and no shares to set apart, join or draw as lines.
  const implied = site.form === 'linear', can = { special: special > 0 && !implied, words: joinable && !implied, rest: !implied && ( options.sinkApart || (options.hideSpecial && special > 0)) };
  const toLines = (): void => { if (!implied) store.draw({ drawn: now().drawn === 'lines' ? 'map' : 'lines' }); };
  const toggles = {
    s: () => { if (!implied) cells({ sinkApart: !now().sinkApart }); }, h: () => { if (can.special) cells({ hideSpecial: !now().hideSpecial }); }, w: () => { if (can.words) cells({ words: !now().words }); },
    r: () => { if (can.rest && (now().sinkApart || (now().hideSpecial && can.special))) store.draw({ renormalised: !now().renormalised }); },
  };
  for (const [key, does] of Object.entries({ ...toggles, p: pin, l: toLines, n: () => step(1), N: () => step(-1), '?': () => setHelp(shown => !shown) })) keys.set(key, does);
  return (
    <>
      <div class="toolbar options" role="toolbar" aria-label="Map">
        {!implied && <Choice label="Scale" testid="scale-picker" value={arrangement.scale} options={scales} onChoose={scale => store.arrange({ scale })} />}
        {!implied && <Choice label="Colors" testid="colour-picker" value={options.colours} options={colourMaps.map(({ id, text: name }) => ({ value: id, text: name }))} onChoose={colours => store.draw({ colours })} />}
        <span class="toggles">
          <Toggle on={options.sinkApart && !implied} disabled={implied} testid="sink-apart" title="Take the key that most of the attention goes to out of the map and show its share beside it (s)" onPress={toggles.s}>Sink apart</Toggle>
          <Toggle on={options.hideSpecial && can.special} disabled={!can.special} testid="hide-special" title={can.special ? 'Leave special tokens and padding out (h)' : 'This input has no special tokens'} onPress={toggles.h}>Hide special</Toggle>
          <Toggle on={options.renormalised && can.rest} disabled={!can.rest} testid="renormalise" title={can.rest ? 'Divide every row by what the keys shown have together (r)' : 'Set the sink apart or hide special tokens first'} onPress={toggles.r}>Renormalize</Toggle>
          <Toggle on={options.words && can.words} disabled={!can.words} testid="words" title={can.words ? 'Join tokens to words: sum over key tokens, mean over query tokens (w)' : 'This trace has no token texts for these queries'} onPress={toggles.w}>Words</Toggle>
          <Toggle on={options.drawn === 'lines' && !implied} disabled={implied} testid="draw-lines" title="Lines between two columns of tokens, for short inputs (l)" onPress={toLines}>Lines</Toggle>
          <Toggle on={pinned} disabled={!pinned && options.pins.length >= mostPins} testid="pin" title={!pinned && options.pins.length >= mostPins ? `At most ${mostPins} heads are pinned` : 'Keep this head beside the others that you look at (p)'} onPress={pin}>Pin</Toggle>
        </span>
        <SearchField label="Find text" testid="find-text" size={14} wrong={text.trim() !== '' && !matches.length} onType={typed => { setText(typed); if (rowsAreTokens) go(findText(input, batch, typed)[0]); }} onStep={step} onLeave={() => document.querySelector<HTMLElement>('[role="application"]')?.focus()} handle={to => keys.set('/', to)} />
        {text.trim() !== '' && <span class="quiet" role="status" data-testid="matches">{matches.length ? `${at >= 0 ? at + 1 : '–'} of ${matches.length}` : 'not in this prompt'}</span>}
        <button type="button" class="link" aria-expanded={help} title="Keys (?)" data-testid="keys" onClick={() => setHelp(!help)}>Keys</button>
      </div>
      {help && <dl class="keys" data-testid="key-help">{keyHelp.map(([name, does]) => <div key={name}><dt>{name}</dt><dd>{does}</dd></div>)}</dl>}
    </>
  );
}
