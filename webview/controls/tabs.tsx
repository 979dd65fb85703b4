/** Tabs in VS Code's look, with the keyboard of WAI-ARIA's tab pattern. */
export interface Tab<T extends string> { readonly id: T; readonly title: string }

export function Tabs<T extends string>({ tabs, chosen, onChoose }: { readonly tabs: readonly Tab<T>[]; readonly chosen: T; readonly onChoose: (id: T) => void }) {
  const move = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const next = tabs[(tabs.findIndex(tab => tab.id === chosen) + by + tabs.length) % tabs.length];
    onChoose(next.id);
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`#tab-${next.id}`)?.focus();
  };
  return (
    <div role="tablist" class="tabs" onKeyDown={move}>
      {tabs.map(tab => (
        <button key={tab.id} type="button" role="tab" id={`tab-${tab.id}`} data-testid={`tab-${tab.id}`} aria-selected={tab.id === chosen} aria-controls={`panel-${tab.id}`}
          tabIndex={tab.id === chosen ? 0 : -1} onClick={() => onChoose(tab.id)}>{tab.title}</button>
      ))}
    </div>
  );
}
