/** A field that acts on what is typed while it is typed; Escape empties it. */
interface FilterFieldProps { readonly label: string; readonly value: string; readonly placeholder: string; readonly longest: number; readonly onType: (text: string) => void; readonly problem: string | undefined; /** Of the element that tells more about it. */ readonly describedBy: string; readonly testid: string; readonly onLeave?: () => void }

/** `onLeave`: Arrow Down, to go to what was found. */
export function FilterField({ label, value, placeholder, longest, onType, problem, describedBy, testid, onLeave }: FilterFieldProps) {
  return (
    <input type="search" class={`search${problem ? ' wrong' : ''}`} aria-label={label} aria-invalid={problem ? 'true' : undefined} aria-describedby={describedBy} data-testid={testid} value={value} placeholder={placeholder} maxLength={longest} spellcheck={false} autocomplete="off"
      onInput={event => onType(event.currentTarget.value)}
      onKeyDown={event => {
        if (event.key === 'Escape' && value) { event.preventDefault(); onType(''); }
        if (event.key === 'ArrowDown' && onLeave) { event.preventDefault(); onLeave(); }
      }} />
  );
}
