/** What the colours mean: the scale by name, its ticks, and the colour of what no query sees. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { scaleName, ticks } from '../marks/scale.ts';
import { colourTable, type ColourMapId } from '../paint/colour-maps.ts';
import { divergingColours } from '../paint/diverging.ts';
import { maskedColour, onThemeChange } from '../paint/theme.ts';
import type { MapChange } from './map-controller.ts';

interface Props { readonly change: Pick<MapChange, 'scale' | 'level'> | undefined; readonly what: string; readonly colours: ColourMapId; /** The strength of lines, not colours of cells. */ readonly lines: boolean; /** Below and above 0: the diverging colours, whatever `colours` says. */ readonly signed?: boolean }

export function Legend({ change, what, colours, lines, signed = false }: Props) {
  const bar = useRef<HTMLCanvasElement>(null), key = useRef<HTMLCanvasElement>(null), [theme, setTheme] = useState(0);
  useEffect(() => onThemeChange(() => setTheme(count => count + 1)), []);
  useEffect(() => {
    const context = bar.current!.getContext('2d')!, image = context.createImageData(256, 1);
    image.data.set(signed ? divergingColours() : colourTable[colours]);
    context.putImageData(image, 0, 0);
    if (!key.current) return;
    const masked = key.current.getContext('2d')!;
    masked.fillStyle = `rgb(${maskedColour().join(' ')})`;
    masked.fillRect(0, 0, 1, 1);
  }, [colours, lines, signed, theme]);
  const all = change ? ticks(change.scale) : [], marks = all.some(tick => tick.text.length > 5) && all.length > 5 ? all.filter((_, n) => n % 2 === 0) : all, pooled = change ? 2 ** change.level : 1;
  // The longest that was said keeps its room: a legend that wraps at some zooms would move the map under the hand.
  const widest = useRef(1), said = (cells: number): string => `${what}, ${change ? scaleName(change.scale.kind) : ''}${cells > 1 ? `, largest${signed ? ' in size' : ''} of ${cells}×${cells} cells` : ''}`;
  widest.current = Math.max(widest.current, pooled);
  return (
    <div class="legend" data-testid="legend" data-scale={change?.scale.kind} data-colours={signed ? 'diverging' : colours} data-top={change?.scale.hi}>
      <span class="name"><span>{said(pooled)}</span>{widest.current > pooled && <span class="room" aria-hidden="true">{said(widest.current)}</span>}</span>
      <span class="scale"><canvas ref={bar} class={lines ? 'faint' : undefined} width={256} height={1} /><span class={lines ? 'strengths' : 'hidden'} />{marks.map(tick => <span key={tick.at} class="tick" style={{ left: `${tick.at * 100}%` }}>{tick.text}</span>)}</span>
      {!lines && <span class="key"><canvas ref={key} width={1} height={1} /> not visible to the query</span>}
    </div>
  );
}
