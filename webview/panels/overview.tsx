/** The Overview tab: what was asked, whether it can be trusted, what stands out, and every head as a thumbnail. */
import { useState } from 'preact/hooks';
import type { TracePanelState } from '../../extension/contract/api.ts';
import { layersText } from '../../extension/contract/layers.ts';
import { headLabel } from '../../extension/contract/site.ts';
import type { TokenSequence, Verdict } from '../../extension/contract/trace.ts';
import { Button, Choice } from '../controls/toolkit.tsx';
import { findHead } from '../marks/head-picker.ts';
import { badge } from '../marks/parity.ts';
import { percent } from '../marks/scale.ts';
import { isSpecial, shown } from '../marks/tokens.ts';
import { Heads } from './overview-heads.tsx';
import { Sinks } from './overview-sinks.tsx';
import { StepLooks } from './step-looks.tsx';
import type { Store } from './store.ts';
import '../overview.css';

interface Props { readonly store: Store; readonly state: TracePanelState }

export function Overview({ store, state }: Props) {
  const { manifest } = state.open, samples = manifest.input.ids.length, { batch } = store.arrangement.value;
  return (
    <div class="overview">
      <header class="summary">
        <div class="facts">
          <h1>{manifest.model.file}</h1>
          <p class="quiet">{manifest.sites.length}{manifest.kept ? ` of ${manifest.kept.ofSites}` : ''} {(manifest.kept?.ofSites ?? manifest.sites.length) === 1 ? 'site' : 'sites'}{manifest.kept ? ` (layers ${layersText(manifest.kept.layers)})` : ''} · {manifest.input.ids[0]?.length ?? 0} tokens{samples > 1 ? ` · ${samples} samples` : ''} · traced {when(manifest.created)} · {manifest.device}</p>
          <Parity state={state} />
          {samples > 1 && <Choice label="Sample" testid="sample" value={String(batch)} options={manifest.input.ids.map((_, i) => ({ value: String(i), text: `${i}` }))} onChoose={value => store.arrange({ batch: Number(value) })} />}
        </div>
        <Next state={state} batch={batch} />
      </header>
      <Prompt state={state} batch={batch} step={store.arrangement.value.step} />
      <Verdicts store={store} state={state} />
      <Sinks state={state} batch={batch} />
      <StepLooks store={store} state={state} />
      <Heads store={store} state={state} />
    </div>
  );
}

function Parity({ state }: Pick<Props, 'state'>) {
  const mark = badge(state.open.manifest);
  return (
    <div class="parity">
      <span class={`badge ${mark.level}`} data-testid="parity-badge" data-level={mark.level} title={mark.detail}>{mark.level === 'ok' ? '✓ ' : mark.level === 'failed' ? '✗ ' : ''}{mark.text}</span>
      <span class="quiet">{mark.detail}</span>
      {mark.failures.map(({ site, sentence }) => <p key={site} class="failure">{sentence}</p>)}
    </div>
  );
}

/** The five most likely next tokens as bars. */
function Next({ state, batch }: Pick<Props, 'state'> & { readonly batch: number }) {
  const next = state.open.manifest.next[batch] ?? [];
  if (!next.length) return null;
  return (
    <section class="next" aria-label="Most likely next tokens">
      <h2>Next token</h2>
      <ol>
        {next.map(({ id, token, probability }) => (
          <li key={id} data-testid="next-token" data-token={token} data-probability={probability}>
            <code>{shown(token)}</code>
            <span class="bar"><span style={{ width: `${Math.max(0.5, probability * 100)}%` }} /></span>
            <span class="number">{percent(probability)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Tokens that are shown at first, and how many more a press brings: tens of thousands at once would hold the page up. */
const mostChips = 160, moreChips = 2000;

function Prompt({ state, batch, step }: Pick<Props, 'state'> & { readonly batch: number; readonly step: number | undefined }) {
  const { input, generated } = state.open.manifest, mark = step === undefined || !generated ? undefined : generated.from + step, { audio, target, given } = input, said = target ?? (audio ? input : undefined);
  return (
    <>
      {audio && <section><h2>Sound</h2><p class="prompt" data-testid="sound">{audio.file?.split(/[\\/]/).pop() ?? 'given as features'}{audio.seconds === undefined ? '' : ` · ${audio.seconds.toFixed(1)} s`} · {audio.positions} positions{audio.secondsPerPosition === undefined ? '' : ` of ${Math.round(audio.secondsPerPosition * 1000)} ms`}</p></section>}
      {!audio && <Tokens title={target ? 'Source' : given === undefined ? 'Prompt' : 'Prompt and what was generated'} testid="prompt" of={input} batch={batch} given={target ? undefined : given} mark={mark} />}
      {said && <Tokens title={audio ? 'Text' : 'Target'} testid="target" of={said} batch={batch} given={given} />}
      <Alignment state={state} />
    </>
  );
}

/** The heads that a speech model's authors found to follow the sound. */
function Alignment({ state }: Pick<Props, 'state'>) {
  const heads = state.open.manifest.sites.flatMap(site => (site.alignmentHeads ?? []).map(head => headLabel(site, head)));
  return heads.length ? <p class="quiet" data-testid="alignment" title="alignment_heads of generation_config.json: their attention follows the sound in time">{heads.length === 1 ? 'Alignment head' : 'Alignment heads'}: {heads.join(', ')}</p> : null;
}

/** `given`: tokens beyond these were generated. */
function Tokens({ title, testid, of, batch, given = Infinity, mark }: { readonly title: string; readonly testid: string; readonly of: TokenSequence; readonly batch: number; readonly given?: number | undefined; /** Position of the chosen step. */ readonly mark?: number | undefined }) {
  const [count, setCount] = useState(mostChips), { tokens, real, ids } = of, mine = tokens[batch] ?? [], left = mine.length - count;
  return (
    <section>
      <h2>{title}</h2>
      <p class="prompt" data-testid={testid}>
        {mine.slice(0, count).map((token, i) => (
          <span key={i} class={`token${isSpecial(token) ? ' special' : ''}${real[batch]?.[i] === 0 ? ' padding' : ''}${i >= given ? ' generated' : ''}${i === mark ? ' at-step' : ''}`} title={`token ${i}, id ${ids[batch]?.[i]}${real[batch]?.[i] === 0 ? ', padding' : ''}${i >= given ? ', generated' : ''}`}>{shown(token)}</span>
        ))}
        {left > 0 && <Button onPress={() => setCount(count + moreChips)}>{left > moreChips ? `… ${moreChips.toLocaleString('en')} of ${left.toLocaleString('en')} more` : `… ${left} more`}</Button>}
        {count > mostChips && <Button onPress={() => setCount(mostChips)}>Fold</Button>}
      </p>
    </section>
  );
}

function Verdicts({ store, state }: Props) {
  const { verdicts, sites } = state.open.manifest;
  return (
    <section>
      <h2>What stands out</h2>
      {!verdicts.length && <p class="quiet" data-testid="no-verdict">Nothing stood out: no rule's threshold was passed.</p>}
      <ul class="verdicts">
        {verdicts.map((verdict, i) => {
          const strongest = verdict.evidence.heads[0], label = strongest?.replace(/ \[\d+\]$/, ''), sample = Number(/\[(\d+)\]$/.exec(strongest ?? '')?.[1] ?? store.arrangement.value.batch);
          const found = label ? findHead(sites, label) : undefined, pick = found && 'pick' in found ? found.pick : undefined;
          return (
            <li key={i} class={verdict.level} data-testid="verdict" data-rule={verdict.rule}>
              <span class="text">{verdict.text}</span>
              {pick && <button type="button" class="link" onClick={() => store.show(pick.site, pick.head, sample, cellOf(verdict))}>Show {label}</button>}
              <span class="quiet" title={JSON.stringify(verdict.evidence)}>threshold {verdict.evidence.threshold}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** The cell that a verdict is about, where its evidence names one. */
function cellOf({ evidence: { query, key } }: Verdict): { readonly query: number; readonly key: number } | undefined {
  return typeof query === 'number' && typeof key === 'number' ? { query, key } : undefined;
}

function when(created: string): string {
  const time = new Date(created);
  return Number.isNaN(time.getTime()) ? created : time.toLocaleString();
}
