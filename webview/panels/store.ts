/** What the panels know: the trace as the host told it, and how the person arranged it (the only thing that is kept). */
import { signal } from '@preact/signals';
import type { PanelApi, PanelView, TracePanelState } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone, UserError } from '../../extension/contract/errors.ts';
import type { Client } from '../../extension/contract/rpc.ts';
import { restore, type Arrangement } from './arrangement.ts';
import type { Focus, MapOptions } from './map-options.ts';
import type { VsCode } from '../port.ts';

/** What the Attention tab can say and draw of its map while it is open. */
export interface DrawnMap {
  readonly label: string;
  /** The largest value on the colour scale. */
  readonly top: () => number;
  readonly inSight: () => PanelView['map'];
  readonly file: (as: 'png' | 'csv' | 'csv-head') => Promise<{ readonly name: string; readonly bytes: Uint8Array }>;
}

export interface Failure { readonly sentence: string; readonly gone: boolean }

export class Store {
  readonly host: Client<PanelApi>;
  readonly state = signal<TracePanelState | undefined>(undefined);
  /** How far the run is that makes the trace, while it is made. */
  readonly waiting = signal<string | undefined>(undefined);
  readonly failure = signal<Failure | undefined>(undefined);
  readonly arrangement = signal<Arrangement>(restore(undefined));
  /** The cell in focus, of all maps that are shown. */
  readonly focus = signal<Focus | undefined>(undefined);
  /** The top of the scale that a link asked for; the map that comes next takes it. */
  linkedTop: number | undefined;
  /** Set while there is a map. */
  drawn: DrawnMap | undefined;
  readonly #vscode: Pick<VsCode, 'getState' | 'setState'>;

  constructor(host: Client<PanelApi>, vscode: Pick<VsCode, 'getState' | 'setState'>) {
    this.host = host;
    this.#vscode = vscode;
    this.arrangement.value = restore(vscode.getState());
  }

  /** Pulls the state; called at the start and whenever the host says that it changed. */
  async pull(): Promise<void> {
    try {
      const state = await this.host.state({});
      this.state.value = state;
      this.failure.value = undefined;
      const { sites, input } = state.open.manifest, { site, batch } = this.arrangement.value;
      // What was remembered may be of a trace with more samples than this one.
      if (batch >= input.ids.length) this.arrange({ batch: 0, view: undefined });
      if (state.view !== undefined && !this.#revealed) { this.#revealed = true; this.showView(state.view); }
      else if (state.reveal && !this.#revealed) { this.#revealed = true; this.show(state.reveal.site, state.reveal.head, state.reveal.batch); }
      else if (!sites.some(one => one.name === site)) this.arrange({ site: sites[0]?.name, head: 0, view: undefined });
    } catch (error) { this.fail(error); }
  }
  #revealed = false;

  /** Shows a failure above the tabs; what was only given up is none. */
  fail(error: unknown): void {
    if (error instanceof Cancelled) return;
    this.failure.value = { gone: error instanceof PeerGone, sentence: error instanceof UserError ? error.sentence : error instanceof Error ? error.message : String(error) };
  }

  arrange(change: Partial<Arrangement>): void {
    const next = { ...this.arrangement.value, ...change };
    this.arrangement.value = next;
    this.#vscode.setState(next);
  }

  /** Changes options of the map. */
  draw(change: Partial<MapOptions>): void { this.arrange({ map: { ...this.arrangement.value.map, ...change } }); }

  /** What a link to this view says. */
  view(): PanelView {
    const now = this.arrangement.value, { drawn } = this;
    return { view: { ...now, map: { ...now.map, focus: this.focus.value, ...(drawn ? { top: drawn.top() } : {}) } }, ...(drawn ? { label: drawn.label, map: drawn.inSight() } : {}) };
  }

  /** Arranges the panel as a link says; what the link does not know or the trace does not have falls back. */
  showView(view: unknown): void {
    const next = restore(view), { sites, input } = this.state.value?.open.manifest ?? { sites: [], input: { ids: [] } };
    const has = (name: string | undefined): boolean => sites.some(site => site.name === name);
    this.focus.value = next.map.focus;
    this.linkedTop = next.map.top;
    this.arrange({ view: undefined, ...next, batch: next.batch < input.ids.length ? next.batch : 0, ...(has(next.site) ? {} : { site: sites[0]?.name, head: 0, view: undefined }), map: { ...next.map, focus: undefined, top: undefined, pins: next.map.pins.filter(pin => has(pin.site)) } });
    this.linked.value++;
  }
  /** Counts links that were followed: maps begin anew with each. */
  readonly linked = signal(0);

  /** Opens a head in the Attention tab; at `focus`, where a cell of it is meant. */
  show(site: string, head: number, batch = this.arrangement.value.batch, focus?: Focus): void {
    if (focus) this.focus.value = focus;
    this.arrange({ tab: 'attention', site, head, batch, view: undefined });
  }
}
