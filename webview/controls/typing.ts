/** Keys pressed in a text field: what types stays there, chords and function keys are the editor's. */

/** Keeps a key that types or moves the cursor from what lies around the field; Ctrl+P and F1 go on to VS Code, which listens at the window. */
export function keepTyping(event: KeyboardEvent): void {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !/^F\d+$/.test(event.key)) event.stopPropagation();
}
