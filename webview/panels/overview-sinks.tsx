/** In the Overview: the sinks of a deep model at a glance, a pair of bars for every layer; one leads to the layer's heads. */
import type { TracePanelState } from '../../extension/contract/api.ts';
import { percent } from '../marks/scale.ts';
import { sinkProfile, type SinkLayer, type SinkPlace, type SinkProfile } from '../marks/sink-profile.ts';

export function Sinks({ state, batch }: { readonly state: TracePanelState; readonly batch: number }) {
  const profile = sinkProfile(state.open.manifest, batch);
  if (!profile) return null;
  const { main, second, layers } = profile, every = Math.ceil(layers.length / 40) * 5;
  return (
    <section class="sinks" data-testid="sinks">
      <h2>Sinks, layer by layer <span class="quiet">mean over a layer’s heads of the attention that the token gets from the queries that see it</span></h2>
      <p class="places"><Key which="main" place={main} />{second && <Key which="second" place={second} />}</p>
      <div class="profile" role="group" aria-label="Sinks, layer by layer">
        <span class="ends" aria-hidden="true"><span>100%</span><span>0</span></span>
        {layers.map((layer, n) => (
          <button key={layer.site.name} type="button" title={sentence(layer, profile)} aria-label={sentence(layer, profile)} data-testid="sink-layer" data-label={layer.label} data-main={layer.main} data-second={layer.second} onClick={() => goTo(layer)}>
            <span class={`bars${layer.main === undefined ? ' hatched' : ''}`}>{layer.main !== undefined && <span class="main" style={{ height: `${layer.main * 100}%` }} />}{layer.second !== undefined && <span class="second" style={{ height: `${layer.second * 100}%` }} />}</span>
            <span class="number">{n % every === 0 ? layer.label : ''}</span>
          </button>
        ))}
      </div>
    </section>
  );
}

function Key({ which, place: { position, token } }: { readonly which: 'main' | 'second'; readonly place: SinkPlace }) {
  return <span class="key"><span class={`swatch ${which}`} /> position {position} <code>{token}</code></span>;
}

function sentence({ label, main, second }: SinkLayer, profile: SinkProfile): string {
  if (main === undefined) return `${label}: failed the parity check`;
  const said = (share: number, { position, token }: SinkPlace): string => `${percent(share)} on position ${position} (${token})`;
  return `${label}: ${said(main, profile.main)}${second !== undefined && profile.second ? `, ${said(second, profile.second)}` : ''}`;
}

/** To the layer's first head in the grid, where it is one of those shown. */
function goTo({ label }: SinkLayer): void {
  const cell = document.querySelector<HTMLElement>(`[data-testid="head-cell"][data-label="${label}H0"]`);
  cell?.scrollIntoView({ block: 'center' });
  cell?.focus({ preventScroll: true });
}
