/** How far back (or ahead) a head looks. */
import { meanOverQueries, type Metric } from './metric.ts';

export const distance: Metric = {
  card: { title: 'Distance', params: {}, cite: '', summary: 'Mean distance in tokens between query and key under the pattern, and its variance over all rows.' },
  gives: ['qkDistance', 'qkDistanceVariance'],
  measure(head) {
    const mean = meanOverQueries(head, i => head.distance.mean[i]), square = meanOverQueries(head, i => head.distance.square[i]);
    return { qkDistance: mean, qkDistanceVariance: Math.max(0, square - mean * mean) };
  },
};
