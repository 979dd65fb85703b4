/** A long text of few words with chapters, topics and sentences that come again, and the tokenizer that reads it. */
import { randomFrom } from '../../extension/engine/maths/random.ts';

export const topics = 8;
const perTopic = 48, common = 64, openers = ['b', 'd', 'f', 'g', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'], vowels = ['a', 'e', 'i', 'o', 'u'];

export interface Vocabulary {
  /** Id → token: `<bos>`, `<unk>`, full stop, chapter mark, then words. */
  readonly tokens: readonly string[];
  /** Id → its topic; −1 for words of all topics. */
  readonly topic: readonly number[];
}

export function vocabulary(): Vocabulary {
  const tokens = ['<bos>', '<unk>', '.', '§'], topic = [-1, -1, -1, -1];
  // Two and three syllables, counted through: no word twice.
  for (let n = 0; n < common + topics * perTopic; n++) {
    const syllable = (of: number): string => openers[of % openers.length] + vowels[Math.floor(of / openers.length) % vowels.length], first = (n * 37) % (openers.length * vowels.length), second = (n * 11 + Math.floor(n / 70) * 3) % (openers.length * vowels.length);
    let word = syllable(first) + syllable(second);
    while (tokens.includes(word)) word += syllable(n);
    tokens.push(word);
    topic.push(n < common ? -1 : Math.floor((n - common) / perTopic));
  }
  return { tokens, topic };
}

/** So many tokens, `<bos>` not among them; the same for the same count. */
export function longText(count: number, { tokens, topic }: Vocabulary): string {
  const random = randomFrom(20261130), pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)], ids = tokens.map((_, id) => id).slice(4);
  const words = Array.from({ length: topics }, (_, t) => ids.filter(id => topic[id] === t)), everywhere = ids.filter(id => topic[id] < 0), said: number[][] = [], out: number[] = [];
  for (let chapter = 0; out.length < count; chapter++) {
    const about = words[Math.floor(random() * topics)], end = Math.min(count, out.length + 800 + Math.floor(random() * 1200));
    out.push(3);
    while (out.length < end) {
      // One sentence in six was said before.
      const sentence = said.length > 20 && random() < 1 / 6 ? pick(said) : Array.from({ length: 6 + Math.floor(random() * 14) }, () => (random() < 0.55 ? pick(about) : pick(everywhere)));
      said.push(sentence);
      out.push(...sentence, 2);
    }
  }
  return out.slice(0, count).map(id => tokens[id]).join(' ');
}

/** tokenizer.json of one token a word, `<bos>` in front. */
export function tokenizerJson({ tokens }: Vocabulary): string {
  return JSON.stringify({
    version: '1.0', truncation: null, padding: null, added_tokens: [0, 1].map(id => ({ id, content: tokens[id], single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })), normalizer: null, pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<bos>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: { '<bos>': { id: '<bos>', ids: [0], tokens: ['<bos>'] } } },
    decoder: null, model: { type: 'WordLevel', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), unk_token: '<unk>' },
  });
}
