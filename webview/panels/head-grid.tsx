/** Layers down, heads across: every head as a thumbnail, drawn when it scrolls into view. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Thumbnails, TracePanelState } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import { headLabel, siteLabel, type Site } from '../../extension/contract/site.ts';
import type { HeadStats } from '../../extension/contract/trace.ts';
import { gridSize, thumbnailTexels, type GridSize } from '../marks/grid.ts';
import { failure, standing } from '../marks/parity.ts';
import { percent, probabilityScale, shortNumber } from '../marks/scale.ts';
import { tokenAt, word } from '../marks/tokens.ts';
import { colourTexels } from '../paint/heat-2d.ts';
import { maskedColour, onThemeChange } from '../paint/theme.ts';
import type { Store } from './store.ts';

/** A key that takes more than this makes a sink head (Gu et al. 2024). */
const sinkOver = 0.3;

interface Props { readonly store: Store; readonly state: TracePanelState }

export function HeadGrid({ store, state }: Props) {
  const { sites } = state.open.manifest, grid = useRef<HTMLDivElement>(null), [width, setWidth] = useState(0), [theme, setTheme] = useState(0);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    watcher.observe(grid.current!);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => onThemeChange(() => setTheme(count => count + 1)), []);
  const size = gridSize(Math.max(...sites.map(site => site.heads ?? 1)), width || 900), { thumb, small, step, inset } = size;
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key], from = (event.target as HTMLElement).dataset;
    if (!by || from['row'] === undefined) return;
    event.preventDefault();
    const row = Math.min(Math.max(Number(from['row']) + by[0], 0), sites.length - 1), head = Math.min(Math.max(Number(from['head']) + by[1], 0), (sites[row].heads ?? 1) - 1);
    grid.current?.querySelector<HTMLElement>(`[data-row="${row}"][data-head="${head}"]`)?.focus();
  };
  return (
    <div class={`grid${small ? ' small' : ''}`} ref={grid} style={{ '--thumb': `${thumb}px`, '--step': `${step}px`, '--inset': `${inset}px` }} data-testid="head-grid" onKeyDown={move}>
      {sites.map((site, row) => <Row key={site.name} {...{ store, state, site, row, theme }} size={size} />)}
    </div>
  );
}

interface RowProps extends Props { readonly site: Site; readonly row: number; readonly size: GridSize; /** Counts changes of the editor's theme. */ readonly theme: number }

function Row({ store, state, site, row, theme, size }: RowProps) {
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
    store.host.thumbnails({ trace, site: site.name }, { signal: stop.signal }).then(found => { setThumbs(found); setProblem(undefined); }, (error: unknown) => {
      if (error instanceof Cancelled) return;
      if (error instanceof PeerGone) store.fail(error);
      setProblem(error instanceof Error ? error.message : String(error));
    });
    return () => stop.abort();
    // Asked again with every pulled state: it may come from an engine that was restarted.
  }, [inView, state, site.name, failed]);
  const stats = (manifest.heads[site.name] ?? []).filter(one => one.batch === batch), byHead = new Map(stats.map(one => [one.head, one])), count = site.heads ?? stats.length;
  const canvas = useRef<HTMLCanvasElement>(null), shownThumbs = inView && !failed ? thumbs : undefined;
  useEffect(() => {
    if (shownThumbs && canvas.current) drawThumbnails(canvas.current, shownThumbs, { batch, count, tokens: manifest.input.ids[batch]?.length ?? 32, causal: site.mask.causal, real: site.kind === 'self' ? manifest.input.real[batch] : undefined, size });
  }, [shownThumbs, batch, theme, size.thumb, count]);
  return (
    <div class="layer" ref={element}>
      <span class="label" title={site.name}>{siteLabel(site)}</span>
      <div class="heads" title={failed ? failure(site, manifest.parity[site.name]) : undefined}>
        {shownThumbs && <canvas ref={canvas} aria-hidden="true" />}
        {Array.from({ length: count }, (_, head) => <Cell key={head} {...{ store, state, site, head, row, failed, size, inView }} stats={byHead.get(head)} ready={shownThumbs !== undefined} />)}
      </div>
      {problem && <span class="failure">{problem}</span>}
    </div>
  );
}

interface CellProps extends Omit<RowProps, 'theme'> { readonly head: number; readonly failed: boolean; readonly stats: HeadStats | undefined; readonly ready: boolean; readonly inView: boolean }

/** A button over its part of the row's canvas. */
function Cell({ store, state, site, head, row, failed, stats, ready, inView, size }: CellProps) {
  const { manifest } = state.open, { batch } = store.arrangement.value, label = headLabel(site, head);
  const sink = stats && stats.sink > sinkOver, key = stats ? word(tokenAt(manifest.input, batch, stats.sinkKey)) : '';
  const told = stats ? `${label}: ${sink ? `sink ${percent(stats.sink)} on ${key} (position ${stats.sinkKey}), ` : `largest key ${percent(stats.sink)}, `}entropy ${shortNumber(stats.patternEntropy)} nats, previous token ${percent(stats.prevTokenScore)}, induction ${percent(stats.inductionScore)}, mean distance ${shortNumber(stats.qkDistance)}` : label;
  return (
    <button type="button" class={`head${failed ? ' hatched' : ''}${sink ? ' sink' : ''}`} data-testid="head-cell" data-label={label} data-row={row} data-head={head} data-sink={stats?.sink} data-ready={ready ? 'true' : undefined}
      tabIndex={row === 0 && head === 0 ? 0 : -1} title={failed ? `${label} is not drawn: its site failed the parity check.` : told} aria-label={told} onClick={() => store.show(site.name, head)}>
      {(inView || !size.small) && <><span class="why">{failed ? (size.small ? '✗' : 'not drawn') : ''}</span><span class="caption"><b>{size.small ? `H${head}` : label}</b>{sink && !size.small && <span class="share">{percent(stats.sink)} <code>{key}</code></span>}</span></>}
    </button>
  );
}

interface RowPicture { readonly batch: number; readonly count: number; readonly tokens: number; readonly causal: boolean; readonly real: readonly number[] | undefined; readonly size: GridSize }

/** All heads of a row on one canvas. Means over many cells are faint: each thumbnail has a scale of its own, gamma, up to its largest value. */
function drawThumbnails(canvas: HTMLCanvasElement, thumbs: Thumbnails, { batch, count, tokens, causal, real, size }: RowPicture): void {
  const ratio = devicePixelRatio, context = canvas.getContext('2d')!, one = document.createElement('canvas'), texelsOf = one.getContext('2d')!, masked = maskedColour();
  canvas.width = Math.round(count * size.step * ratio);
  canvas.height = Math.round(size.thumb * ratio);
  context.imageSmoothingEnabled = false;
  for (let head = 0; head < count; head++) {
    const { side, data, most } = thumbnailTexels(thumbs.data, { batch, head, heads: thumbs.heads, size: thumbs.size }, tokens, causal, real), image = texelsOf.createImageData(side, side);
    colourTexels(data, probabilityScale('gamma', most), masked, image.data);
    one.width = one.height = side;
    texelsOf.putImageData(image, 0, 0);
    context.drawImage(one, Math.round((head * size.step + size.inset) * ratio), 0, Math.round(size.thumb * ratio), canvas.height);
  }
}
