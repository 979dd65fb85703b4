/** Which characters of a word each of its tokens stands for. */

export interface Spelling {
  readonly unknown?: string;
  /** In front of tokens that continue a word (`##`). */
  readonly prefix?: string;
  /** Behind tokens that end a word (`</w>`). */
  readonly suffix?: string;
}

/**
 * [start, end) in `units` for each token; undefined where there are no units left. Tokens are read left to right: one that is spelled
 * out takes its letters; a byte token takes the letter that its bytes belong to; an unknown token takes what lies before the next one.
 */
export function alignPieces(tokens: readonly string[], units: readonly string[], spelling: Spelling): ((readonly [number, number]) | undefined)[] {
  if (tokens.length === 1) return [[0, units.length]];
  const found: ((readonly [number, number]) | undefined)[] = [];
  let at = 0;
  for (let i = 0; i < tokens.length; i++) {
    if (at >= units.length) { found.push(undefined); continue; }
    const bytes = byteRun(tokens, i, units, at);
    if (bytes) {
      for (let n = 0; n < bytes.tokens; n++) found.push([at, at + 1]);
      i += bytes.tokens - 1;
      at++;
      continue;
    }
    const letters = lettersOf(tokens[i], i, spelling);
    if (tokens[i] !== spelling.unknown && matches(letters, units, at)) { found.push([at, at + letters.length]); at += letters.length; continue; }
    // Unknown: up to where the next known token is spelled, at least one letter.
    let end = units.length;
    const next = tokens[i + 1];
    if (next !== undefined) {
      if (next === spelling.unknown) end = at + 1;
      else {
        const following = lettersOf(next, i + 1, spelling);
        end = at + 1;
        while (end < units.length && !matches(following, units, end) && !byteRun(tokens, i + 1, units, end)) end++;
        if (end === units.length) end = at + 1;
      }
    }
    found.push([at, end]);
    at = end;
  }
  return found;
}

function lettersOf(token: string, i: number, { prefix, suffix }: Spelling): string[] {
  let text = token;
  if (prefix && i > 0 && text.startsWith(prefix)) text = text.slice(prefix.length);
  if (suffix && text.endsWith(suffix)) text = text.slice(0, -suffix.length);
  return [...text];
}

function matches(letters: readonly string[], units: readonly string[], at: number): boolean {
  return letters.length > 0 && at + letters.length <= units.length && letters.every((letter, i) => letter === units[at + i]);
}

/** `<0xE2><0x82><0xAC>`: the tokens from `i` on that spell the bytes of the letter at `at`. */
function byteRun(tokens: readonly string[], i: number, units: readonly string[], at: number): { readonly tokens: number } | undefined {
  if (!/^<0x[0-9A-F]{2}>$/.test(tokens[i])) return undefined;
  const bytes = Buffer.from(units[at], 'utf8');
  for (let n = 0; n < bytes.length; n++) if (tokens[i + n] !== `<0x${bytes[n].toString(16).toUpperCase().padStart(2, '0')}>`) return undefined;
  return { tokens: bytes.length };
}
