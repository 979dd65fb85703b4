/** What keys do on a map: the cell moves, the map zooms, a row is chosen; pure. */
import type { Cell, Extent } from '../marks/view.ts';

export type KeyAction =
  | { readonly do: 'move'; readonly cell: Cell }
  | { readonly do: 'zoom'; readonly factor: number }
  | { readonly do: 'fit' | 'choose' | 'release' | 'brush-rows' | 'brush-cols' };

export interface Key { readonly key: string; readonly shiftKey: boolean; readonly ctrlKey: boolean; readonly metaKey: boolean; readonly altKey?: boolean }

/** `from`: the cell in focus. `page`: rows of a page. Undefined: not a key of the map. */
export function keyAction({ key, shiftKey, ctrlKey, metaKey, altKey }: Key, from: Cell, extent: Extent, page: number): KeyAction | undefined {
  if (altKey) return undefined;
  const step = shiftKey ? 10 : 1, whole = ctrlKey || metaKey;
  const to = (row: number, col: number): KeyAction => ({ do: 'move', cell: { row: Math.max(0, Math.min(row, extent.rows - 1)), col: Math.max(0, Math.min(col, extent.cols - 1)) } });
  switch (key) {
    case 'ArrowUp': return to(from.row - step, from.col);
    case 'ArrowDown': return to(from.row + step, from.col);
    case 'ArrowLeft': return to(from.row, from.col - step);
    case 'ArrowRight': return to(from.row, from.col + step);
    case 'PageUp': return to(from.row - page, from.col);
    case 'PageDown': return to(from.row + page, from.col);
    case 'Home': return to(whole ? 0 : from.row, 0);
    case 'End': return to(whole ? extent.rows - 1 : from.row, extent.cols - 1);
    case 'Enter': case ' ': return { do: 'choose' };
    case 'Escape': return { do: 'release' };
  }
  if (whole) return undefined;
  if (key === 'b' || key === 'B') return { do: key === 'b' ? 'brush-rows' : 'brush-cols' };
  return key === '+' || key === '=' ? { do: 'zoom', factor: 1.4 } : key === '-' ? { do: 'zoom', factor: 1 / 1.4 } : key === '0' ? { do: 'fit' } : undefined;
}

/** Keys of the tab, for its help: what they do, in the order shown. */
export const keyHelp: readonly (readonly [keys: string, does: string])[] = [
  ['← ↑ → ↓', 'move the cell (Shift: by 10)'], ['Home End', 'first and last key of the row (Ctrl: of the map)'], ['Page Up, Page Down', 'a page of queries'],
  ['+ − 0', 'zoom in, out, fit'], ['Enter', 'show the row as bars, again to let go (Escape too)'], ['b B', 'begin a span of queries (keys), again to end it: where its mass goes'],
  ['[ ]', 'previous and next head'], ['p', 'pin this head, or take its pin away'], ['/', 'find text'], ['n N', 'next and previous match'],
  ['s', 'sink apart'], ['r', 'renormalize the rest'], ['h', 'hide special tokens'], ['w', 'words'], ['l', 'lines or map'], ['c', 'copy a link to this view'], ['e', 'export'], ['?', 'this list'],
];
