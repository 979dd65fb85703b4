/** The normalisers of tokenizer.json, with alignment: what each does to text, by the rules of the Rust library. */
import { aligned, mapChars, prepend, replaceMatches, strip, textOf, unicodeForm, type Aligned } from './aligned-text.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Types that have no alignment of ours are run by `whole`, the library's own normaliser, and aligned by comparing. */
export function normalise(of: Aligned, config: Json | null | undefined, whole: (text: string) => string, depth = 0): Aligned {
  if (!config || !of.chars.length) return of;
  if (depth > 16) throw new Error('normalizers are nested too deeply');
  switch (config['type']) {
    case 'Sequence': return (config['normalizers'] as readonly Json[] | undefined ?? []).reduce((text, one) => normalise(text, one, whole, depth + 1), of);
    case 'NFC': case 'NFD': case 'NFKC': case 'NFKD': return unicodeForm(of, config['type']);
    case 'Lowercase': return mapChars(of, char => char.toLowerCase());
    case 'StripAccents': return mapChars(of, char => (/^\p{M}$/u.test(char) ? '' : char));
    case 'Strip': return strip(of, config['strip_left'] === true, config['strip_right'] === true);
    case 'Prepend': return prepend(of, String(config['prepend'] ?? ''));
    case 'Replace': {
      const pattern = patternOf(config['pattern'] as Json | undefined);
      return pattern ? replaceMatches(of, pattern, String(config['content'] ?? '')) : compare(of, whole(textOf(of)));
    }
    case 'BertNormalizer': return bert(of, config);
    case 'Precompiled': return precompiled(of);
    default: return depth ? of : compare(of, whole(textOf(of)));
  }
}

function patternOf(pattern: Json | undefined): RegExp | undefined {
  if (typeof pattern?.['String'] === 'string') return new RegExp(pattern['String'].replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gu');
  if (typeof pattern?.['Regex'] === 'string') { try { return new RegExp(pattern['Regex'], 'gu'); } catch { return undefined; } }
  return undefined;
}

function bert(of: Aligned, config: Json): Aligned {
  let text = of;
  if (config['clean_text'] !== false) text = mapChars(text, char => (isDropped(char) ? '' : /^\s$/u.test(char) ? ' ' : char));
  if (config['handle_chinese_chars'] !== false) text = mapChars(text, char => (isChinese(char.codePointAt(0)!) ? ` ${char} ` : char));
  const accents = config['strip_accents'] as boolean | null | undefined ?? config['lowercase'] !== false;
  if (accents) text = mapChars(unicodeForm(text, 'NFD'), char => (/^\p{Mn}$/u.test(char) ? '' : char));
  return config['lowercase'] === false ? text : mapChars(text, char => char.toLowerCase());
}

function isDropped(char: string): boolean {
  return char === '\0' || char === '\ufffd' || (!/^[\t\n\r]$/.test(char) && /^\p{C}$/u.test(char));
}

function isChinese(code: number): boolean {
  return (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) || (code >= 0x20000 && code <= 0x2a6df) || (code >= 0x2a700 && code <= 0x2b73f)
    || (code >= 0x2b740 && code <= 0x2b81f) || (code >= 0x2b920 && code <= 0x2ceaf) || (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f);
}

/** SentencePiece's nmt_nfkc, as the library approximates it: control characters go, blanks become spaces, then NFKC. */
function precompiled(of: Aligned): Aligned {
  const blanks = /^[\u0009\u000a\u000c\u000d\u00a0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2581\u3000\ufeff\ufffd]$/u;
  const cleaned = mapChars(of, char => (/^[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]$/u.test(char) ? '' : blanks.test(char) ? ' ' : char));
  const parts = { chars: [] as string[], spans: [] as Aligned['spans'][number][] };
  let from = 0;
  const flush = (to: number): void => {
    const done = unicodeForm({ chars: cleaned.chars.slice(from, to), spans: cleaned.spans.slice(from, to) }, 'NFKC');
    parts.chars.push(...done.chars);
    parts.spans.push(...done.spans);
  };
  cleaned.chars.forEach((char, i) => {
    if (char !== '\uff5e') return;
    flush(i);
    parts.chars.push(char);
    parts.spans.push(cleaned.spans[i]);
    from = i + 1;
  });
  flush(cleaned.chars.length);
  return parts;
}

/** Aligns `after` with what it was made of where nothing says how: equal characters stay, others take the nearest before. */
export function compare(of: Aligned, after: string): Aligned {
  if (textOf(of) === after) return of;
  const made = aligned(after), spans: Aligned['spans'][number][] = [];
  let at = 0;
  for (const char of made.chars) {
    const found = of.chars.indexOf(char, at);
    if (found >= 0 && found - at <= 8) { spans.push(of.spans[found]); at = found + 1; }
    else spans.push(of.spans[Math.min(at, of.spans.length - 1)] ?? [0, 0]);
  }
  return { chars: made.chars, spans };
}
