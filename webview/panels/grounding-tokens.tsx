/** The prompt as chips to choose the token whose look at the image is shown; one stop of the Tab key, arrows inside. */
import { useEffect, useRef } from 'preact/hooks';
import type { Chip } from '../marks/grounding.ts';

interface Props { readonly chips: readonly Chip[]; readonly chosen: number; readonly possible: (token: number) => boolean; readonly onChoose: (token: number) => void }

export function TokenStrip({ chips, chosen, possible, onChoose }: Props) {
  const list = useRef<HTMLDivElement>(null), can = chips.filter(chip => chip.image === undefined && possible(chip.token));
  useEffect(() => { list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }); }, [chosen]);
  const onKey = (event: KeyboardEvent): void => {
    const at = can.findIndex(chip => chip.token === chosen), to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: can.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey || !can.length) return;
    event.preventDefault();
    const { token } = can[Math.max(0, Math.min(can.length - 1, to))];
    onChoose(token);
    list.current?.querySelector<HTMLElement>(`[data-token="${token}"]`)?.focus();
  };
  return (
    <div ref={list} class="token-strip" role="listbox" aria-label="Token that looks" aria-orientation="horizontal" data-testid="token-strip" onKeyDown={onKey}>
      {chips.map(({ token, text, image }) => (image !== undefined
        ? <span key={token} class="token special" aria-hidden="true">{text}</span>
        : <button key={token} type="button" role="option" class="token" data-testid="strip-token" data-token={token} aria-selected={token === chosen} aria-disabled={!possible(token)} disabled={!possible(token)} tabIndex={token === chosen ? 0 : -1} title={`token ${token}`} onClick={() => onChoose(token)}>{text}</button>))}
    </div>
  );
}
