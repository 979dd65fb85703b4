/** The image of the Grounding tab: attention over it, a cell under the pointer or the keys, and in a vision tower the patch that looks. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Look } from '../../extension/contract/api.ts';
import { sameCell } from '../../extension/contract/image-grid.ts';
import type { TraceImage } from '../../extension/contract/trace.ts';
import { cellWords, lookedImage, peakOf, type GroundingArrangement } from '../marks/grounding.ts';
import { fitImage, paintImageMap } from '../paint/image-map.ts';
import type { ColourMapId } from '../paint/colour-maps.ts';
import { onThemeChange, themeColour } from '../paint/theme.ts';

interface Props {
  readonly image: TraceImage;
  readonly picture: ImageBitmap;
  readonly look: Look | undefined;
  /** The look answers what is asked now. */
  readonly ready: boolean;
  readonly arrangement: GroundingArrangement;
  readonly colours: ColourMapId;
  readonly label: string;
  /** A patch was chosen; undefined where patches do not look. */
  readonly onChoose?: (cell: number) => void;
}

export function GroundingImage({ image: given, picture, look, ready, arrangement, colours, label, onChoose }: Props) {
  const image = lookedImage(given, look), frame = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null), [room, setRoom] = useState({ width: 0, height: 0 }), [focus, setFocus] = useState<number | undefined>(), [theme, setTheme] = useState(0);
  const size = fitImage(image, room), none = { rows: 0, columns: 0 }, grid = look ?? none, at = focus !== undefined && focus < grid.rows * grid.columns ? focus : undefined;
  useEffect(() => onThemeChange(() => setTheme(count => count + 1)), []);
  useEffect(() => {
    const element = frame.current!, measure = (): void => setRoom({ width: element.clientWidth, height: element.clientHeight }), watcher = new ResizeObserver(measure);
    measure();
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = canvas.current!, ratio = Math.min(3, window.devicePixelRatio || 1);
    if (room.width < 1) return;
    element.width = Math.round(size.width * ratio);
    element.height = Math.round(size.height * ratio);
    const context = element.getContext('2d')!, [r, g, b] = themeColour('--vscode-focusBorder', [0, 120, 212]);
    context.scale(ratio, ratio);
    paintImageMap(context, {
      image, picture, grid, values: look?.cells ?? new Float32Array(0), top: look ? peakOf(look.cells) : 0, sinks: look?.sinks ?? new Float32Array(0), hatch: arrangement.withoutSinks, colours, opacity: arrangement.opacity, smooth: arrangement.cells === 'smooth',
      lines: onChoose !== undefined || arrangement.cells === 'exact', ...(at === undefined ? {} : { focus: at }), ...(onChoose && arrangement.cell >= 0 ? { chosen: { grid: image.patches, cell: arrangement.cell } } : {}), accent: `rgb(${r} ${g} ${b})`,
    }, size);
  }, [picture, look, arrangement, colours, at, size.width, size.height, theme, onChoose !== undefined]);
  const words = look && at !== undefined ? cellWords(image, look, at, look.cells[at], look.sinks[at]) : '';
  const cellAt = (event: MouseEvent): number | undefined => {
    const box = canvas.current!.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * image.width / image.scale[0] - image.offset[0], y = (event.clientY - box.top) / box.height * image.height / image.scale[1] - image.offset[1];
    const row = Math.floor(y / image.covered[0] * grid.rows), column = Math.floor(x / image.covered[1] * grid.columns);
    return row >= 0 && row < grid.rows && column >= 0 && column < grid.columns ? row * grid.columns + column : undefined;
  };
  const choose = (cell: number | undefined): void => { if (cell !== undefined && look) onChoose?.(sameCell(look, cell, image.patches)); };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || !look) return;
    const { rows, columns } = look, now = at ?? 0, row = Math.floor(now / columns), column = now % columns, step = event.shiftKey ? 5 : 1;
    const to: Readonly<Record<string, readonly [number, number]>> = { ArrowUp: [row - step, column], ArrowDown: [row + step, column], ArrowLeft: [row, column - step], ArrowRight: [row, column + step], Home: [row, 0], End: [row, columns - 1] };
    if (event.key === 'Enter' || event.key === ' ') choose(at);
    else if (to[event.key]) setFocus(Math.max(0, Math.min(rows - 1, to[event.key][0])) * columns + Math.max(0, Math.min(columns - 1, to[event.key][1])));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="grounding-frame" ref={frame}>
      <canvas ref={canvas} class={onChoose ? 'choosing' : undefined} style={{ width: `${size.width}px`, height: `${size.height}px` }} role="application" tabIndex={0} data-testid="grounding-image" data-ready={ready && room.width > 0} data-rows={grid.rows} data-columns={grid.columns} data-focus={at}
        aria-label={`${label}. Arrow keys move over the ${grid.rows} by ${grid.columns} cells${onChoose ? ', Enter chooses the patch that looks' : ''}.`}
        onPointerMove={event => setFocus(cellAt(event))} onPointerLeave={() => setFocus(undefined)} onClick={event => choose(cellAt(event))} onKeyDown={onKey} />
      <p class="spoken" role="status" data-testid="grounding-spoken">{words}</p>
      <p class="quiet under-image" data-testid="grounding-cell">{words || `${image.path?.split(/[\\/]/).pop() ?? image.input}: ${image.prepared}`}</p>
    </div>
  );
}
