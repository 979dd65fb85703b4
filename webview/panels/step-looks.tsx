/** In the Overview: what the heads looked at when a generated token was written. */
import { useEffect, useState } from 'preact/hooks';
import type { HeadRows, TracePanelState } from '../../extension/contract/api.ts';
import { Cancelled } from '../../extension/contract/errors.ts';
import { headLabel } from '../../extension/contract/site.ts';
import { standing } from '../marks/parity.ts';
import { percent } from '../marks/scale.ts';
import { generationSteps, stepLooks, type HeadLook } from '../marks/steps.ts';
import { shown, tokenAt } from '../marks/tokens.ts';
import type { Store } from './store.ts';

interface Props { readonly store: Store; readonly state: TracePanelState }
const mostShown = 10;

/** The rows of every head hold all steps: they are asked for once a trace. */
export function StepLooks({ store, state }: Props) {
  const { manifest, trace } = state.open, steps = generationSteps(manifest), { step: at } = store.arrangement.value, step = at === undefined ? undefined : steps[Math.min(at, steps.length - 1)];
  const [rows, setRows] = useState<{ readonly of: string; readonly heads: readonly { readonly site: string; readonly head: number; readonly label: string; readonly rows: HeadRows }[] } | undefined>();
  useEffect(() => {
    if (!step || rows?.of === trace) return undefined;
    const stop = new AbortController();
    const wanted = manifest.sites.filter(site => site.kind === 'self' && standing(manifest.parity[site.name]) !== 'failed').flatMap(site => Array.from({ length: site.heads ?? 0 }, (_, head) => ({ site: site.name, head, label: headLabel(site, head) })));
    void (async () => {
      try {
        const heads = [];
        for (const one of wanted) heads.push({ ...one, rows: await store.host.rows({ trace, site: one.site, head: one.head, batch: 0 }, { signal: stop.signal }) });
        setRows({ of: trace, heads });
      } catch (error) { if (!(error instanceof Cancelled)) store.fail(error); }
    })();
    return () => stop.abort();
  }, [trace, step === undefined]);
  if (!step) return null;
  const looks = rows?.of === trace ? stepLooks(rows.heads.map(({ site, head, label, rows: { max, maxKey } }): HeadLook => ({ site, head, label, key: maxKey[step.query] ?? -1, probability: max[step.query] ?? 0 })), mostShown) : undefined;
  const name = (key: number) => <><span class="position">{key}</span> <code>{shown(tokenAt(manifest.input, 0, key))}</code></>;
  return (
    <section class="step-looks" data-testid="step-looks" aria-label="What this step looked at">
      <h2>What query {step.query} looked at <span class="quiet">the row that wrote {shown(step.token)}</span></h2>
      {!looks ? <p class="quiet">…</p> : (
        <div class="step-columns">
          <ol aria-label="Keys by how many heads look at them most">
            {looks.keys.map(({ key, heads }) => <li key={key} data-testid="step-key" data-key={key}><span class="what">{name(key)}</span><span class="bar"><span style={{ width: `${100 * heads / rows!.heads.length}%` }} /></span><span class="number">{heads} of {rows!.heads.length} heads</span></li>)}
          </ol>
          <ol aria-label="Heads that look most elsewhere">
            {looks.heads.map(look => (
              <li key={look.label} data-testid="step-head" data-label={look.label}>
                <button type="button" class="link" onClick={() => store.show(look.site, look.head, 0, { query: step.query, key: look.key })}>{look.label}</button>
                <span class="what">{name(look.key)}</span><span class="number">{percent(look.probability)}</span>
              </li>
            ))}
            {!looks.heads.length && <li class="quiet">All heads look most at the same key.</li>}
          </ol>
        </div>
      )}
    </section>
  );
}
