/** How widely a head looks: entropy, largest probability, distance. */
import { meanOverRows, type Metric } from './metric.ts';

export const spread: Metric = {
  patternEntropy: { title: 'Entropy', summary: 'Mean entropy of a query\'s attention, in nats.', cite: '', measure: head => meanOverRows(head, i => head.entropy[i]) },
  maxProb: { title: 'Largest probability', summary: 'Mean of the largest probability of a query.', cite: '', measure: head => meanOverRows(head, i => head.max[i]) },
  qkDistance: { title: 'Distance', summary: 'Mean distance between query and key, in tokens.', cite: '', measure: head => head.distance },
  qkDistanceVariance: { title: 'Distance variance', summary: 'Variance of the distance between query and key, over all of the head\'s attention.', cite: '', measure: head => Math.max(0, head.squared - head.distance ** 2) },
};
