/** What a panel shows until its trace is there; meanwhile the page gets ready to draw it. */
import { useEffect } from 'preact/hooks';
import { Button, Choice, TextField } from '../controls/toolkit.tsx';
import { warmPainter } from '../paint/heat.ts';
import type { Store } from './store.ts';

export function Waiting({ store }: { readonly store: Store }) {
  // After this has been painted.
  useEffect(() => { const later = setTimeout(warmPainter, 0); return () => clearTimeout(later); }, []);
  return (
    <>
      <p class="waiting" role="status">{store.waiting.value ?? 'Opening the trace …'}</p>
      {/* One control of each kind, unseen: the first of a kind costs the browser much more than those that follow. */}
      <div hidden aria-hidden="true"><Button onPress={nothing}>·</Button><Choice label="·" value="" options={[{ value: '', text: '·' }]} onChoose={nothing} /><TextField label="·" value="" onEnter={nothing} /></div>
    </>
  );
}

function nothing(): void { /* nobody can press these */ }
