/** Layers down, heads across: every head as a thumbnail, drawn when it scrolls into view. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Thumbnails, TracePanelState } from '../../extension/contract/api.ts';
import { headLabel, siteLabel, type Site } from '../../extension/contract/site.ts';
import type { HeadStats } from '../../extension/contract/trace.ts';
import { failure, standing } from '../marks/parity.ts';
import { percent, probabilityScale, shortNumber } from '../marks/scale.ts';
import { tokenAt, word } from '../marks/tokens.ts';
import { paintTexels } from '../paint/heat-2d.ts';
import { maskedColour } from '../paint/theme.ts';
import type { Store } from './store.ts';

/** A key that takes more than this makes a sink head (Gu et al. 2024). */
const sinkOver = 0.3;

interface Props { readonly store: Store; readonly state: TracePanelState }

export function HeadGrid({ store, state }: Props) {
  const { sites } = state.open.manifest, grid = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key], from = (event.target as HTMLElement).dataset;
    if (!by || from['row'] === undefined) return;
    event.preventDefault();
    const row = Math.min(Math.max(Number(from['row']) + by[0], 0), sites.length - 1), head = Math.min(Math.max(Number(from['head']) + by[1], 0), (sites[row].heads ?? 1) - 1);
    grid.current?.querySelector<HTMLElement>(`[data-row="${row}"][data-head="${head}"]`)?.focus();
  };
  return <div class="grid" ref={grid} data-testid="head-grid" onKeyDown={move}>{sites.map((site, row) => <Row key={site.name} store={store} state={state} site={site} row={row} />)}</div>;
}

function Row({ store, state, site, row }: Props & { readonly site: Site; readonly row: number }) {
  const { trace, manifest } = state.open, { batch } = store.arrangement.value, element = useRef<HTMLDivElement>(null);
  const [inView, setInView] = useState(false), [thumbs, setThumbs] = useState<Thumbnails | undefined>(), [problem, setProblem] = useState<string | undefined>();
  const failed = standing(manifest.parity[site.name]) === 'failed';
  useEffect(() => {
    const watcher = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) setInView(true); }, { rootMargin: '300px' });
    watcher.observe(element.current!);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (!inView || failed) return undefined;
    const stop = new AbortController();
    store.host.thumbnails({ trace, site: site.name }, { signal: stop.signal }).then(setThumbs, error => { if (!stop.signal.aborted) setProblem(error instanceof Error ? error.message : String(error)); });
    return () => stop.abort();
  }, [inView, trace, site.name, failed]);
  const stats = (manifest.heads[site.name] ?? []).filter(one => one.batch === batch), count = site.heads ?? stats.length;
  return (
    <div class="layer" ref={element}>
      <span class="label" title={site.name}>{siteLabel(site)}</span>
      <div class="heads" title={failed ? failure(site, manifest.parity[site.name]) : undefined}>
        {Array.from({ length: count }, (_, head) => <Cell key={head} {...{ store, state, site, head, row, failed }} stats={stats.find(one => one.head === head)} thumbs={inView ? thumbs : undefined} />)}
      </div>
      {problem && <span class="failure">{problem}</span>}
    </div>
  );
}

interface CellProps extends Props { readonly site: Site; readonly head: number; readonly row: number; readonly failed: boolean; readonly stats: HeadStats | undefined; readonly thumbs: Thumbnails | undefined }

function Cell({ store, state, site, head, row, failed, stats, thumbs }: CellProps) {
  const canvas = useRef<HTMLCanvasElement>(null), { manifest } = state.open, { batch } = store.arrangement.value, label = headLabel(site, head);
  useEffect(() => { if (thumbs && canvas.current) drawThumbnail(canvas.current, thumbs, batch, head, manifest.input.ids[batch]?.length ?? 32, site.mask.causal); }, [thumbs, batch]);
  const sink = stats && stats.sink > sinkOver, key = stats ? word(tokenAt(manifest.input, batch, stats.sinkKey)) : '';
  const told = stats ? `${label}: ${sink ? `sink ${percent(stats.sink)} on ${key} (position ${stats.sinkKey}), ` : `largest key ${percent(stats.sink)}, `}entropy ${shortNumber(stats.patternEntropy)} nats, previous token ${percent(stats.prevTokenScore)}, induction ${percent(stats.inductionScore)}, mean distance ${shortNumber(stats.qkDistance)}` : label;
  return (
    <button type="button" class={`head${failed ? ' hatched' : ''}${sink ? ' sink' : ''}`} data-testid="head-cell" data-label={label} data-row={row} data-head={head} data-sink={stats?.sink} data-ready={thumbs ? 'true' : undefined}
      tabIndex={row === 0 && head === 0 ? 0 : -1} title={failed ? `${label} is not drawn: its site failed the parity check.` : told} aria-label={told} onClick={() => store.show(site.name, head)}>
      {failed ? <span class="why">not drawn</span> : <canvas ref={canvas} width={32} height={32} />}
      <span class="caption"><b>{label}</b>{sink && <span class="share">{percent(stats.sink)} <code>{key}</code></span>}</span>
    </button>
  );
}

/** 32×32 means of few cells are faint: each thumbnail has a scale of its own, gamma, up to its largest value. */
function drawThumbnail(canvas: HTMLCanvasElement, thumbs: Thumbnails, batch: number, head: number, tokens: number, causal: boolean): void {
  const { size } = thumbs, at = (batch * thumbs.heads + head) * size * size, all = thumbs.data.subarray(at, at + size * size), side = Math.max(1, Math.min(size, tokens));
  const data = new Float32Array(side * side);
  let most = 0;
  for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) {
    const value = causal && j > i ? NaN : all[i * size + j];
    data[i * side + j] = value;
    if (value > most) most = value;
  }
  const picture = paintTexels({ height: side, width: side, data }, probabilityScale('gamma', most), maskedColour()), context = canvas.getContext('2d')!;
  canvas.width = canvas.height = side;
  context.drawImage(picture, 0, 0);
}
