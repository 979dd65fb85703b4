/** Buttons that stay pressed, in the look of VS Code's find options. */
import type { ComponentChildren } from 'preact';

interface Props { readonly on: boolean; readonly title: string; readonly testid: string; readonly disabled?: boolean; readonly onPress: () => void; readonly children: ComponentChildren }

export function Toggle({ on, title, testid, disabled, onPress, children }: Props) {
  return <button type="button" class="toggle" aria-pressed={on} title={title} data-testid={testid} disabled={disabled} onClick={onPress}>{children}</button>;
}
