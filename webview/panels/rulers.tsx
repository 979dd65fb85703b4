/** The strips beside a map on which a span of queries or of keys is brushed. */
import { useRef } from 'preact/hooks';
import type { MapAxes } from '../marks/map-axes.ts';
import { spanBetween, type Span } from '../marks/span.ts';
import type { Size, View } from '../marks/view.ts';

interface Props {
  readonly axes: MapAxes; readonly view: View; readonly size: Size;
  /** Where the map begins in the frame. */
  readonly left: number; readonly top: number;
  /** Undefined: a click let it go. */
  readonly onBrush: (span: Span | undefined) => void;
  /** True while a hand brushes: nothing may move under it. */
  readonly onHold: (held: boolean) => void;
}

export function Rulers({ axes, view, size, left, top, onBrush, onHold }: Props) {
  const from = useRef<number | undefined>(undefined), moved = useRef(false);
  const cellAt = (of: Span['of'], event: PointerEvent): number => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return Math.floor(of === 'rows' ? view.row + (event.clientY - box.top) / view.cell : view.col + (event.clientX - box.left) / view.cell);
  };
  const hands = (of: Span['of']) => ({
    onPointerDown: (event: PointerEvent) => { if (event.button !== 0) return; (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId); from.current = cellAt(of, event); moved.current = false; onHold(true); },
    onPointerMove: (event: PointerEvent) => {
      if (from.current === undefined) return;
      const cell = cellAt(of, event);
      moved.current ||= cell !== from.current;
      if (moved.current) onBrush(spanBetween(of, axes[of], from.current, cell));
    },
    onPointerUp: () => { if (from.current === undefined) return; if (!moved.current) onBrush(undefined); from.current = undefined; onHold(false); },
    onPointerCancel: () => { from.current = undefined; onHold(false); },
  });
  const title = (what: string): string => `Drag to select a span of ${what} and see where its mass goes`;
  return (
    <>
      <div class="ruler rows" data-testid="ruler-rows" title={title(axes.rowName === 'query' ? 'queries' : axes.rowName)} style={{ left: 0, top: `${top}px`, width: `${left}px`, height: `${Math.min(size.height, (axes.rows.count - view.row) * view.cell)}px` }} {...hands('rows')} />
      <div class="ruler cols" data-testid="ruler-cols" title={title(axes.colName === 'key' ? 'keys' : axes.colName)} style={{ left: `${left}px`, top: 0, width: `${Math.min(size.width, (axes.cols.count - view.col) * view.cell)}px`, height: `${top}px` }} {...hands('cols')} />
    </>
  );
}
