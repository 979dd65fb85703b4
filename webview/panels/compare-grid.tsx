/** Layers down, heads across: every head in the colour of how much it differs; what rounding explains stays uncoloured. */
import { useRef } from 'preact/hooks';
import type { HeadDiff, SiteDiff, TraceDiff } from '../../extension/contract/diff.ts';
import { lutIndex, viridis, viridisCss } from '../../extension/contract/viridis.ts';
import { heat, heatTicks, metricOf, mostOf } from '../marks/compare.ts';
import { shortNumber } from '../marks/scale.ts';
import { viridisGradient } from '../paint/heat-cells.ts';
import type { CompareStore } from './compare-store.ts';

interface Props { readonly store: CompareStore; readonly diff: TraceDiff }

export function CompareGrid({ store, diff }: Props) {
  const { batch, metric } = store.arrangement.value, kind = metricOf(metric), most = mostOf(diff, kind, batch), grid = useRef<HTMLDivElement>(null), wide = Math.max(...diff.sites.map(site => site.heads.filter(head => head.batch === batch).length));
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key], from = (event.target as HTMLElement).dataset;
    if (!by || from['row'] === undefined) return;
    event.preventDefault();
    const row = Math.min(Math.max(Number(from['row']) + by[0], 0), diff.sites.length - 1), cells = grid.current!.querySelectorAll<HTMLElement>(`[data-row="${row}"]`);
    cells[Math.min(Math.max(Number(from['column']) + by[1], 0), cells.length - 1)]?.focus();
  };
  return (
    <div class="compare-grid-and-legend">
      <div class={`compare-grid${wide > 16 ? ' small' : ''}`} ref={grid} data-testid="compare-grid" onKeyDown={move}>
        {diff.sites.map((site, row) => (
          <div class="compare-row" key={site.name}>
            <span class="label" title={site.name}>{site.label}</span>
            {site.heads.filter(head => head.batch === batch).map((head, column) => <Cell key={head.head} {...{ store, diff, site, head, row, column, most }} />)}
          </div>
        ))}
      </div>
      <Legend title={kind.title} help={kind.help} most={most} first={diff.first?.label} even={diff.tolerance ? `within ${diff.tolerance}` : 'equal up to rounding'} />
    </div>
  );
}

interface CellProps extends Props { readonly site: SiteDiff; readonly head: HeadDiff; readonly row: number; readonly column: number; readonly most: number }

function Cell({ store, diff, site, head, row, column, most }: CellProps) {
  const arrangement = store.arrangement.value, kind = metricOf(arrangement.metric), value = kind.value(head), label = `${site.label}H${head.head}`, at = heat(value ?? 0, most);
  const first = diff.first?.site === site.name && diff.first.head === head.head && diff.first.batch === head.batch, chosen = arrangement.site === site.name && arrangement.head === head.head;
  const told = `${label}: ${kind.title} ${value === undefined ? 'unknown' : shortNumber(value)}${head.above ? '' : head.maxAbs === 0 && head.js === 0 && !head.outputError ? ', exactly equal' : diff.tolerance ? `, within ${diff.tolerance}` : ', explained by rounding'}${first ? ', the first that differs' : ''}`;
  return (
    <button type="button" class={`compare-cell${head.above ? '' : ' even'}${first ? ' first' : ''}`} data-testid="compare-cell" data-label={label} data-row={row} data-column={column} data-value={value} data-above={head.above ? 'true' : 'false'} data-first={first ? 'true' : undefined}
      aria-pressed={chosen} aria-label={told} title={told} tabIndex={chosen ? 0 : -1} style={head.above ? { background: viridisCss(at), color: inkOn(at) } : undefined} onClick={() => store.arrange({ site: site.name, head: head.head, batch: head.batch })}>
      <b>H{head.head}</b><span>{value === undefined ? '–' : shortNumber(value)}</span>
    </button>
  );
}

/** Black or white, whichever is read better on the colour at `t`. */
function inkOn(t: number): string {
  const [r, g, b] = viridis.subarray(lutIndex(t) * 4, lutIndex(t) * 4 + 3);
  return r * 0.299 + g * 0.587 + b * 0.114 > 130 ? '#000' : '#fff';
}

function Legend({ title, help, most, first, even }: { readonly even: string; readonly title: string; readonly help: string; readonly most: number; readonly first: string | undefined }) {
  return (
    <div class="legend" data-testid="compare-legend">
      <span class="name" title={help}>{title}{most > 0 ? ', log scale' : ''}</span>
      {most > 0 && <span class="scale"><span class="ramp" style={{ background: viridisGradient() }} />{heatTicks(most).map(tick => <span key={tick.at} class="tick" style={{ left: `${tick.at * 100}%` }}>{tick.text}</span>)}</span>}
      <span class="key"><i class="swatch even" /> {even}</span>
      {first && <span class="key"><i class="swatch first" /> first that differs</span>}
    </div>
  );
}
