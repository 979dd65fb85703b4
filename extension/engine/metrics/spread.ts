/** How widely a head looks: entropy, largest probability, distance. */
import { meanOverRows, type Metric } from './metric.ts';

/** Where all other keys together have less than 0.001: two steps of float16 below 1, and a gradient p(1 − p) as small. */
export const saturatedOver = 0.999;

export const spread: Metric = {
  patternEntropy: { title: 'Entropy', summary: 'Mean entropy of a query\'s attention, in nats.', cite: '', unit: 'nats', selfOnly: false, measure: head => meanOverRows(head, i => head.entropy[i]) },
  maxProb: { title: 'Largest probability', summary: 'Mean of the largest probability of a query.', cite: '', unit: 'share', selfOnly: false, measure: head => meanOverRows(head, i => head.max[i]) },
  saturation: {
    title: 'Saturated queries', summary: `Share of the queries with a choice of keys that give one of them over ${saturatedOver}.`, cite: '', unit: 'share', selfOnly: false,
    measure: head => meanOverRows(head, i => (head.seen[i] < 2 ? undefined : head.max[i] > saturatedOver ? 1 : 0)),
  },
  qkDistance: { title: 'Distance', summary: 'Mean distance between query and key, in tokens.', cite: '', unit: 'tokens', selfOnly: true, measure: head => head.distance },
  qkDistanceVariance: { title: 'Distance variance', summary: 'Variance of the distance between query and key, over all of the head\'s attention.', cite: '', unit: 'tokens²', selfOnly: true, measure: head => Math.max(0, head.squared - head.distance ** 2) },
};
