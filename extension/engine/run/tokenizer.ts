/** Text to token ids. */
export interface TextTokenizer { encode(text: string): { readonly ids: readonly number[]; readonly tokens: readonly string[]; readonly spans: readonly (readonly [number, number] | null)[] }; token(id: number): string }
export function loadTokenizer(_model: string): TextTokenizer | undefined { return undefined; }
