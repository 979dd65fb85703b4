/** A head in words: what a screen reader says of its cell, and the lines of the card beside it. */
import type { MetricCard, TraceInput } from '../../extension/contract/trace.ts';
import { isGrouped, metricOf, metricText, type HeadEntry } from './heads.ts';
import { percent } from './scale.ts';
import { sideInput } from './sides.ts';
import { tokenAt, word } from './tokens.ts';

/** A key that takes more than this makes a sink head (Gu et al. 2024). */
export const sinkOver = 0.3;

/** `33% <bos>` for a sink head, else undefined. Keys that are no tokens are numbered. */
export function sinkWords(entry: HeadEntry, input: TraceInput, batch: number): string | undefined {
  const { stats } = entry;
  return stats && !entry.failed && stats.sink > sinkOver ? `${percent(stats.sink)} ${keyWord(entry, input, batch, stats.sinkKey)}` : undefined;
}

function keyWord(entry: HeadEntry, input: TraceInput, batch: number, key: number): string {
  if (entry.site.form !== 'dense') return `#${key}`;
  return word(tokenAt(sideInput(input, entry.site, 'keys'), batch, key));
}

/** One sentence, the chosen metric first: `L3H7: previous token 94%, sink 12% …`. */
export function headSentence(entry: HeadEntry, input: TraceInput, batch: number, cards: readonly MetricCard[], chosen: MetricCard): string {
  if (entry.failed) return `${entry.label}: not drawn, its site failed the parity check`;
  if (entry.site.form === 'linear') return `${entry.label}: linear attention, implied weights`;
  const sink = sinkWords(entry, input, batch), told = ['sink', 'patternEntropy', 'prevTokenScore', 'inductionScore', 'qkDistance'];
  const parts = [chosen, ...cards.filter(card => card !== chosen && told.includes(card.name))].flatMap(card => {
    const value = metricOf(entry, card);
    if (value === undefined) return card === chosen ? [`no ${card.title.toLowerCase()}`] : [];
    return [`${card.title.toLowerCase()} ${metricText(card, value)}${card.name === 'sink' && sink ? ` on ${keyWord(entry, input, batch, entry.stats!.sinkKey)} (position ${entry.stats!.sinkKey})` : ''}`];
  });
  return `${entry.label}: ${[...parts, ...(isGrouped(entry.site) ? [`key/value head ${entry.kv}`] : []), ...(entry.site.alignmentHeads?.includes(entry.head) ? ['alignment head: follows the sound in time'] : [])].join(', ')}`;
}
