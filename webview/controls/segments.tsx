/** A choice among two or three that are all on the screen, with the keyboard of WAI-ARIA's radio group. */
interface SegmentsProps<T extends string> { readonly label: string; readonly value: T; readonly options: readonly { readonly value: T; readonly text: string }[]; readonly onChoose: (value: T) => void; readonly testid: string }

export function Segments<T extends string>({ label, value, options, onChoose, testid }: SegmentsProps<T>) {
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = (options.findIndex(option => option.value === value) + by + options.length) % options.length;
    onChoose(options[at].value);
    ((event.currentTarget as HTMLElement).children[at] as HTMLElement).focus();
  };
  return (
    <div role="radiogroup" aria-label={label} class="segments" data-testid={testid} onKeyDown={move}>
      {options.map(option => (
        <button key={option.value} type="button" role="radio" aria-checked={option.value === value} tabIndex={option.value === value ? 0 : -1} data-value={option.value} onClick={() => onChoose(option.value)}>{option.text}</button>
      ))}
    </div>
  );
}
