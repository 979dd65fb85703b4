/** The slider over generated tokens, above the tabs: which token, how likely, and what else could have come. */
import type { TracePanelState } from '../../extension/contract/api.ts';
import { Button } from '../controls/toolkit.tsx';
import { percent } from '../marks/scale.ts';
import { generationSteps } from '../marks/steps.ts';
import { shown, tokenAt } from '../marks/tokens.ts';
import type { Store } from './store.ts';
import '../steps.css';

interface Props { readonly store: Store; readonly state: TracePanelState }

export function StepsBar({ store, state }: Props) {
  const { manifest } = state.open, steps = generationSteps(manifest), { generated } = manifest;
  if (!steps.length || !generated) return null;
  const at = store.arrangement.value.step, n = at === undefined ? undefined : Math.min(at, steps.length - 1), step = n === undefined ? undefined : steps[n];
  const go = (to: number | undefined): void => {
    const next = to === undefined ? undefined : Math.max(0, Math.min(steps.length - 1, to)), chosen = next === undefined ? undefined : steps[next].query;
    store.arrange({ step: next, map: { ...store.arrangement.value.map, chosen } });
  };
  const how = `${generated.how === 'cache' ? '' : 'without a cache, run again over all tokens for each · '}${generated.sampling ? `sampled, temperature ${generated.sampling.temperature}${generated.sampling.topK === null ? '' : `, top-k ${generated.sampling.topK}`}${generated.sampling.topP === null ? '' : `, top-p ${generated.sampling.topP}`}, seed ${generated.sampling.seed}` : 'always the most likely'}${generated.stopped === 'end' ? ' · ended by itself' : ''}`;
  const said = step && `Step ${n! + 1} of ${steps.length}: ${shown(step.token)}`;
  return (
    <section class="steps" aria-label="Generated tokens" data-testid="steps">
      <div class="steps-row">
        <Button testid="previous-step" title="Previous generated token" onPress={() => go(n === undefined ? steps.length - 1 : n - 1)}>‹</Button>
        <input type="range" aria-label="Step of the generation" aria-valuetext={said ?? 'none chosen'} data-testid="step" min={0} max={steps.length - 1} value={n ?? 0} onInput={event => go(Number(event.currentTarget.value))} />
        <Button testid="next-step" title="Next generated token" onPress={() => go(n === undefined ? 0 : n + 1)}>›</Button>
        {step ? <span data-testid="step-title"><b>Step {n! + 1} of {steps.length}</b> after <code>{shown(tokenAt(manifest.input, 0, step.query))}</code> (query {step.query}) it wrote <code class="chosen">{shown(step.token)}</code>{step.probability === undefined ? '' : `, ${percent(step.probability)}`}</span>
          : <span class="quiet" data-testid="step-title">{steps.length} generated {steps.length === 1 ? 'token' : 'tokens'}, {how}. Move the slider to see what each looked at.</span>}
        {step && <button type="button" class="link" data-testid="no-step" onClick={() => go(undefined)}>all</button>}
      </div>
      {step && step.alternatives.length > 0 && (
        <ol class="alternatives" aria-label="Most likely tokens at this step">
          {step.alternatives.map(one => (
            <li key={one.id} class={one.id === step.id ? 'chosen' : undefined} data-testid="alternative" data-token={one.token} title={one.id === step.id ? 'This one was written' : 'It could have been this one'}>
              <code>{shown(one.token)}</code><span class="bar"><span style={{ width: `${Math.max(1, one.probability * 100)}%` }} /></span><span class="number">{percent(one.probability)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
