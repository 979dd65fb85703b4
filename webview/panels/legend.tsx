/** What the colours mean: the scale by name, its ticks, and the colour of what no query sees. */
import { useEffect, useRef } from 'preact/hooks';
import { scaleName, ticks } from '../marks/scale.ts';
import { viridis } from '../../extension/contract/viridis.ts';
import { maskedColour } from '../paint/theme.ts';
import type { MapChange } from './map-controller.ts';

export function Legend({ change }: { readonly change: MapChange | undefined }) {
  const bar = useRef<HTMLCanvasElement>(null), key = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = bar.current!.getContext('2d')!, image = context.createImageData(256, 1);
    image.data.set(viridis);
    context.putImageData(image, 0, 0);
    const masked = key.current!.getContext('2d')!;
    masked.fillStyle = `rgb(${maskedColour().join(' ')})`;
    masked.fillRect(0, 0, 1, 1);
  });
  const marks = change ? ticks(change.scale) : [], pooled = change ? 2 ** change.level : 1;
  return (
    <div class="legend" data-testid="legend" data-scale={change?.scale.kind}>
      <span class="name">probability, {change ? scaleName(change.scale.kind) : ''}{pooled > 1 ? `, largest of ${pooled}×${pooled} cells` : ''}</span>
      <span class="scale"><canvas ref={bar} width={256} height={1} />{marks.map(tick => <span key={tick.at} class="tick" style={{ left: `${tick.at * 100}%` }}>{tick.text}</span>)}</span>
      <span class="key"><canvas ref={key} width={1} height={1} /> not visible to the query</span>
    </div>
  );
}
