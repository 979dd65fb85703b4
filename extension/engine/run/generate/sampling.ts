/** Which token comes next: the most likely one, or one drawn as temperature, top-k and top-p say; pure. */
import type { Sampling } from '../../../contract/trace.ts';
import { randomFrom } from '../../maths/random.ts';

/** Chooses from logits [vocabulary]. Errors: `Error` where no token has a finite logit. */
export type Choose = (logits: Float32Array) => number;

/** The smallest id among the most likely ones, as argmax in numpy and PyTorch. */
export const greedy: Choose = logits => {
  let best = -1;
  for (let id = 0; id < logits.length; id++) if (logits[id] > (best < 0 ? -Infinity : logits[best])) best = id;
  if (best < 0) throw new Error('No token has a finite logit.');
  return best;
};

/** In the order of Hugging Face's processors: temperature, the k most likely, the fewest whose probabilities reach p; then a draw. */
export function sampled({ temperature, topK, topP, seed }: Sampling): Choose {
  const random = randomFrom(seed);
  return logits => {
    const ranked = Array.from(logits.keys()).filter(id => logits[id] > -Infinity).sort((a, b) => logits[b] - logits[a] || a - b);
    if (!ranked.length) throw new Error('No token has a finite logit.');
    const kept = topK === null ? ranked : ranked.slice(0, topK), most = logits[kept[0]], weights = kept.map(id => Math.exp((logits[id] - most) / temperature));
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    let count = weights.length;
    if (topP !== null && topP < 1) for (let n = 0, sum = 0; n < weights.length; n++) { sum += weights[n] / all; if (sum >= topP) { count = n + 1; break; } }
    const total = weights.slice(0, count).reduce((sum, weight) => sum + weight, 0);
    let rest = random() * total;
    for (let n = 0; n < count; n++) { rest -= weights[n]; if (rest < 0) return kept[n]; }
    return kept[count - 1];
  };
}
