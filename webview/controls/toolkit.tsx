/** VS Code's form elements as Preact components; the one file that imports the toolkit, so that a successor can take its place here. */
import { provideVSCodeDesignSystem, vsCodeButton, vsCodeDropdown, vsCodeOption, vsCodeTextField } from '@vscode/webview-ui-toolkit';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { keepTyping } from './typing.ts';

provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeDropdown(), vsCodeOption(), vsCodeTextField());

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'vscode-button': ElementProps; 'vscode-dropdown': ElementProps; 'vscode-option': ElementProps; 'vscode-text-field': ElementProps;
    }
  }
}
interface ElementProps { readonly [name: string]: unknown }

interface ButtonProps { readonly onPress: () => void; readonly children: ComponentChildren; readonly primary?: boolean; readonly title?: string; readonly testid?: string; readonly disabled?: boolean }

export function Button({ onPress, children, primary, title, testid, disabled }: ButtonProps) {
  return <vscode-button appearance={primary ? 'primary' : 'secondary'} title={title} aria-label={title} data-testid={testid} disabled={disabled} onClick={onPress}>{children}</vscode-button>;
}

interface ChoiceProps<T extends string> { readonly label: string; readonly value: T; readonly options: readonly { readonly value: T; readonly text: string }[]; readonly onChoose: (value: T) => void; readonly testid?: string }

/** A dropdown; `onChoose` is called for what a person chose, not for values set from outside. */
export function Choice<T extends string>({ label, value, options, onChoose, testid }: ChoiceProps<T>) {
  const element = useRef<HTMLElement & { value: string }>(null);
  // The element resets its value while its options are being added: set it after they are there.
  useEffect(() => { if (element.current && element.current.value !== value) element.current.value = value; });
  return (
    <label class="choice">
      <span>{label}</span>
      <vscode-dropdown ref={element} data-testid={testid} aria-label={label} data-value={value} onchange={(event: Event) => {
        const chosen = (event.target as HTMLElement & { value: string }).value as T;
        if (chosen && chosen !== value) onChoose(chosen);
      }}>
        {options.map(option => <vscode-option key={option.value} value={option.value}>{option.text}</vscode-option>)}
      </vscode-dropdown>
    </label>
  );
}

interface TextFieldProps { readonly label: string; readonly value: string; readonly onEnter: (text: string) => void; readonly problem?: string; readonly testid?: string; readonly size?: number }

/** One line of text, handed over on Enter or when the field is left; Escape takes back what was typed. */
export function TextField({ label, value, onEnter, problem, testid, size }: TextFieldProps) {
  const element = useRef<HTMLElement & { value: string }>(null);
  useEffect(() => { if (element.current) element.current.value = value; }, [value]);
  const hand = (): void => { if (element.current && element.current.value !== value) onEnter(element.current.value); };
  return (
    <vscode-text-field ref={element} size={size} aria-label={label} title={problem ?? label} data-testid={testid} class={problem ? 'wrong' : undefined} onchange={hand}
      onKeyDown={(event: KeyboardEvent) => {
        keepTyping(event);
        if (event.key === 'Enter') hand();
        if (event.key === 'Escape' && element.current) element.current.value = value;
      }} />
  );
}
