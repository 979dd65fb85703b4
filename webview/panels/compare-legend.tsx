/** What the colours of the three maps mean: probabilities of A and B on one scale, changes around 0. */
import { useEffect, useRef } from 'preact/hooks';
import { viridis } from '../../extension/contract/viridis.ts';
import { points } from '../marks/compare.ts';
import { scaleName, ticks } from '../marks/scale.ts';
import { divergingTable } from '../paint/diverging.ts';
import { maskedColour } from '../paint/theme.ts';
import type { MapsChange } from './compare-maps.ts';

export function CompareLegend({ change }: { readonly change: MapsChange | undefined }) {
  const probabilities = useRef<HTMLCanvasElement>(null), changes = useRef<HTMLCanvasElement>(null), masked = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const paint = (canvas: HTMLCanvasElement, width: number, fill: (data: Uint8ClampedArray) => void): void => {
      const context = canvas.getContext('2d')!, image = context.createImageData(width, 1);
      fill(image.data);
      context.putImageData(image, 0, 0);
    };
    paint(probabilities.current!, 256, data => data.set(viridis));
    paint(changes.current!, 255, data => { const table = divergingTable(); for (let n = 0; n < 255; n++) { data.set(table.subarray(n * 3, n * 3 + 3), n * 4); data[n * 4 + 3] = 255; } });
    paint(masked.current!, 1, data => data.set([...maskedColour(), 255]));
  });
  const most = change?.mostChange ?? 0;
  return (
    <div class="legend" data-testid="compare-map-legend">
      <span class="name">probability, {change ? scaleName(change.scale.kind) : ''}{change && change.pooled > 1 ? `, largest of ${change.pooled}×${change.pooled} cells` : ''}</span>
      <span class="scale"><canvas ref={probabilities} width={256} height={1} />{change && ticks(change.scale).map(tick => <span key={tick.at} class="tick" style={{ left: `${tick.at * 100}%` }}>{tick.text}</span>)}</span>
      <span class="name">{most > 0 ? 'change from A to B' : 'no change'}</span>
      <span class="scale"><canvas ref={changes} width={255} height={1} />{[-1, -0.5, 0, 0.5, 1].map(share => <span key={share} class="tick" style={{ left: `${(share + 1) * 50}%` }}>{most > 0 ? points(share * most) : share === 0 ? '0' : ''}</span>)}</span>
      <span class="key"><canvas ref={masked} width={1} height={1} /> not visible to the query</span>
    </div>
  );
}
