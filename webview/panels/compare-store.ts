/** What the Compare panel knows: the two traces, their comparison, and how the person arranged it (with the two files, so that the panel can come back). */
import { signal } from '@preact/signals';
import type { CompareApi, ComparePanelState, Progress } from '../../extension/contract/api.ts';
import type { TraceDiff } from '../../extension/contract/diff.ts';
import { Cancelled, PeerGone, UserError } from '../../extension/contract/errors.ts';
import type { Client } from '../../extension/contract/rpc.ts';
import { compareMetrics, ranked, metricOf, type MetricId } from '../marks/compare.ts';
import type { ScaleKind } from '../marks/scale.ts';
import type { VsCode } from '../port.ts';
import type { Failure } from './store.ts';

export interface CompareArrangement {
  readonly a?: string;
  readonly b?: string;
  readonly metric: MetricId;
  /** Changes of a probability up to this count as none. */
  readonly tolerance: number;
  readonly scale: ScaleKind;
  readonly site?: string;
  readonly head: number;
  readonly batch: number;
}

export class CompareStore {
  readonly host: Client<CompareApi>;
  readonly state = signal<ComparePanelState | undefined>(undefined);
  readonly diff = signal<TraceDiff | undefined>(undefined);
  /** Sites compared of all, while it runs. */
  readonly progress = signal<Progress | undefined>(undefined);
  readonly cancelled = signal(false);
  readonly failure = signal<Failure | undefined>(undefined);
  readonly arrangement = signal<CompareArrangement>(restoreComparison(undefined));
  readonly #vscode: Pick<VsCode, 'getState' | 'setState'>;
  #running: AbortController | undefined;

  constructor(host: Client<CompareApi>, vscode: Pick<VsCode, 'getState' | 'setState'>) {
    this.host = host;
    this.#vscode = vscode;
    this.arrangement.value = restoreComparison(vscode.getState());
  }

  /** Pulls the two traces, and compares them unless that is done; called at the start and whenever the host says that something changed. */
  async pull(): Promise<void> {
    this.#running?.abort();
    const running = this.#running = new AbortController();
    this.cancelled.value = false;
    try {
      const state = await this.host.state({}, { signal: running.signal });
      this.state.value = state;
      this.failure.value = undefined;
      this.arrange({ a: state.a.file, b: state.b.file });
      const { tolerance } = this.arrangement.value;
      if (this.diff.value?.tolerance !== tolerance) {
        this.diff.value = await this.host.compared({ tolerance }, { signal: running.signal, onProgress: value => { this.progress.value = value as Progress; } });
        this.#choose();
      }
    } catch (error) { if (this.#running === running) this.fail(error); } finally { if (this.#running === running) this.progress.value = undefined; }
  }

  cancel(): void {
    this.cancelled.value = true;
    this.#running?.abort();
  }

  /** Compares again, with another tolerance; what is shown stays until then. */
  tolerate(tolerance: number): void {
    this.arrange({ tolerance });
    void this.pull();
  }

  fail(error: unknown): void {
    if (error instanceof Cancelled) return;
    this.failure.value = { gone: error instanceof PeerGone, sentence: error instanceof UserError ? error.sentence : error instanceof Error ? error.message : String(error) };
  }

  arrange(change: Partial<CompareArrangement>): void {
    const next = { ...this.arrangement.value, ...change };
    this.arrangement.value = next;
    this.#vscode.setState(next);
  }

  /** Unless a head was chosen before: the first that differs, else the one that differs most, else the first there is. */
  #choose(): void {
    const diff = this.diff.value!, { site, head, batch } = this.arrangement.value;
    if (diff.sites.some(one => one.name === site && one.heads.some(each => each.head === head && each.batch === batch))) return;
    const place = diff.first ?? ranked(diff, metricOf('js'), 0)[0]?.place ?? { site: diff.sites[0].name, head: 0, batch: 0 };
    this.arrange({ site: place.site, head: place.head, batch: place.batch });
  }
}

/** What `getState()` gave, which another version of the extension may have written. */
export function restoreComparison(kept: unknown): CompareArrangement {
  const from: { readonly [K in keyof CompareArrangement]?: unknown } = typeof kept === 'object' && kept !== null ? kept : {}, count = (value: unknown): number => (Number.isInteger(value) && (value as number) >= 0 ? value as number : 0);
  return {
    ...(typeof from.a === 'string' ? { a: from.a } : {}), ...(typeof from.b === 'string' ? { b: from.b } : {}), ...(typeof from.site === 'string' ? { site: from.site } : {}),
    metric: compareMetrics.find(metric => metric.id === from.metric)?.id ?? 'js', scale: (['linear', 'gamma', 'log'] as const).find(kind => kind === from.scale) ?? 'linear', head: count(from.head), batch: count(from.batch), tolerance: typeof from.tolerance === 'number' && from.tolerance >= 0 && from.tolerance <= 1 ? from.tolerance : 0,
  };
}
