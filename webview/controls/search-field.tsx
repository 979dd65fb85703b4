/** A search field that owns its text (setting it while somebody types would lose letters): what is typed counts at once; Enter goes on, Shift+Enter back, Escape clears and leaves. */
import { useEffect, useRef } from 'preact/hooks';
import './toolkit.tsx';
import { keepTyping } from './typing.ts';

interface Props { readonly label: string; readonly testid: string; readonly size: number; readonly wrong: boolean; readonly onType: (text: string) => void; readonly onStep: (by: 1 | -1) => void; readonly onLeave: () => void; /** Where to put the keyboard's focus from outside. */ readonly handle: (focus: () => void) => void }

export function SearchField({ label, testid, size, wrong, onType, onStep, onLeave, handle }: Props) {
  const element = useRef<HTMLElement & { value: string; focus(): void }>(null);
  useEffect(() => handle(() => element.current?.focus()), []);
  return (
    <vscode-text-field ref={element} size={size} placeholder={label} aria-label={label} title={`${label} (/)`} data-testid={testid} class={wrong ? 'wrong' : undefined} onInput={() => { if (element.current) onType(element.current.value); }}
      onKeyDown={(event: KeyboardEvent) => {
        keepTyping(event);
        if (event.key === 'Enter') onStep(event.shiftKey ? -1 : 1);
        if (event.key === 'Escape') { if (element.current) element.current.value = ''; onType(''); onLeave(); }
      }} />
  );
}
