/** Heads that look at fixed places: the previous token, the token itself, what followed the same token before. */
import { meanOverRows, type Metric } from './metric.ts';

export const positions: Metric = {
  prevTokenScore: {
    title: 'Previous token', summary: 'Mean probability on the token before the query, over queries that have one.', cite: 'Elhage 2021', unit: 'share', selfOnly: true,
    measure: head => (head.onPrevious ? meanOverRows(head, i => (i + head.offset - 1 >= head.firstKey && i + head.offset >= 1 ? head.onPrevious![i] : undefined)) : 0),
  },
  selfAttentionScore: {
    title: 'Self', summary: 'Mean probability on the query\'s own token.', cite: '', unit: 'share', selfOnly: true,
    measure: head => (head.onSelf ? meanOverRows(head, i => head.onSelf![i]) : 0),
  },
  inductionScore: {
    title: 'Induction', summary: 'Mean mass on the tokens that followed earlier occurrences of the query\'s token, over queries that have one.', cite: 'Olsson 2022, 2209.11895', unit: 'share', selfOnly: true,
    measure: head => (head.induction ? meanOverRows(head, i => (head.induction![i] < 0 ? undefined : head.induction![i])) : 0),
  },
};
