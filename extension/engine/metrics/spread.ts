/** How spread out a head's rows are. */
import { meanOverQueries, type Metric } from './metric.ts';

export const spread: Metric = {
  card: { title: 'Spread', params: {}, cite: '', summary: 'Mean entropy of the rows in nats, and mean of their largest probability.' },
  gives: ['patternEntropy', 'maxProb'],
  measure: head => ({ patternEntropy: meanOverQueries(head, i => head.entropy[i]), maxProb: meanOverQueries(head, i => head.max[i]) }),
};
