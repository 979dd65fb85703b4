/** What the panels know: the trace as the host told it, and how the person arranged it (the only thing that is kept). */
import { signal } from '@preact/signals';
import type { PanelApi, TracePanelState } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone, UserError } from '../../extension/contract/errors.ts';
import type { Client } from '../../extension/contract/rpc.ts';
import { restore, type Arrangement } from './arrangement.ts';
import type { VsCode } from '../port.ts';

export interface Failure { readonly sentence: string; readonly gone: boolean }

export class Store {
  readonly host: Client<PanelApi>;
  readonly state = signal<TracePanelState | undefined>(undefined);
  readonly failure = signal<Failure | undefined>(undefined);
  readonly arrangement = signal<Arrangement>(restore(undefined));
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
      if (state.reveal && !this.#revealed) { this.#revealed = true; this.show(state.reveal.site, state.reveal.head, state.reveal.batch); }
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

  /** Opens a head in the Attention tab. */
  show(site: string, head: number, batch = this.arrangement.value.batch): void {
    this.arrange({ tab: 'attention', site, head, batch, view: undefined });
  }
}
