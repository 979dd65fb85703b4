/** Heads as people type them, tokens as people read them, and what a page kept. */
import { describe, expect, it } from 'vitest';
import type { Site } from '../../../extension/contract/site.ts';
import type { TraceInput } from '../../../extension/contract/trace.ts';
import { findHead, labelOf, step } from '../../../webview/marks/head-picker.ts';
import { around, isSpecial, shown, tokenAt, word } from '../../../webview/marks/tokens.ts';
import { restore } from '../../../webview/panels/arrangement.ts';

const site = (name: string, layer: number, heads: number, stack = 'main', kind: 'self' | 'cross' = 'self') => ({ name, layer, heads, stack, kind }) as Site;
const decoder = [site('blocks.0.attn', 0, 4), site('blocks.1.attn', 1, 4), site('blocks.3.attn', 3, 4)];
const both = [site('encoder.blocks.0.attn', 0, 2, 'encoder'), site('decoder.blocks.0.attn', 0, 2, 'decoder'), site('decoder.blocks.0.cross_attn', 0, 2, 'decoder', 'cross')];

describe('the head picker', () => {
  it.each(['L3H1', 'l3h1', 'L3.H1', '3.1', ' 3 . 1 ', '3,1', 'layer 3 head 1', 'Layer 3, Head 1'])('understands %s', text => {
    expect(findHead(decoder, text)).toEqual({ pick: { site: 'blocks.3.attn', head: 1 } });
  });
  it('understands stacks, and takes the first where none is named', () => {
    expect(findHead(both, 'decoder.cross.L0H1')).toEqual({ pick: { site: 'decoder.blocks.0.cross_attn', head: 1 } });
    expect(findHead(both, 'decoder.L0H1')).toEqual({ pick: { site: 'decoder.blocks.0.attn', head: 1 } });
    expect(findHead(both, '0.1')).toEqual({ pick: { site: 'encoder.blocks.0.attn', head: 1 } });
  });
  it('says what is wrong', () => {
    expect(findHead(decoder, 'banana')).toEqual({ problem: '“banana” names no head: write L3H1, 3.1 or layer 3 head 1.' });
    expect(findHead(decoder, 'L9H0')).toEqual({ problem: 'This trace has no layer 9: its layers are 0, 1, 3.' });
    expect(findHead(decoder, 'L1H4')).toEqual({ problem: 'L1 has no head 4: its heads are 0 to 3.' });
  });
  it('steps through all heads in order and stops at the ends', () => {
    expect(step(decoder, { site: 'blocks.0.attn', head: 3 }, 1)).toEqual({ site: 'blocks.1.attn', head: 0 });
    expect(step(decoder, { site: 'blocks.1.attn', head: 0 }, -1)).toEqual({ site: 'blocks.0.attn', head: 3 });
    expect(step(decoder, { site: 'blocks.0.attn', head: 0 }, -1)).toEqual({ site: 'blocks.0.attn', head: 0 });
    expect(step(decoder, { site: 'blocks.3.attn', head: 3 }, 1)).toEqual({ site: 'blocks.3.attn', head: 3 });
  });
  it('labels what it found so that it finds it again', () => {
    for (const pick of [{ site: 'decoder.blocks.0.cross_attn', head: 1 }, { site: 'encoder.blocks.0.attn', head: 0 }]) expect(findHead(both, labelOf(both, pick))).toEqual({ pick });
  });
});

describe('tokens', () => {
  it('shows white space that would be lost', () => {
    expect([' the', 'the', '\n', ' ', '', 'a b', '\t'].map(shown)).toEqual(['·the', 'the', '⏎', '·', '∅', 'a b', '⇥']);
    expect([' the', '  '].map(word)).toEqual(['the', '··']);
  });
  it('tells special tokens from text and bytes', () => {
    expect(['<bos>', '<|endoftext|>', '[CLS]', '</s>'].every(isSpecial)).toBe(true);
    expect(['<', ' <bos> ', '<0x0A>', '[cls]', 'a<b>', '<a b>'].some(isSpecial)).toBe(false);
  });
  const text = 'Once upon a time there was a little fox in a deep, dark wood.';
  const spans = [...text.matchAll(/ ?\w+|[,.]/g)].map(match => [match.index, match.index + match[0].length] as const);
  const input = (more: Partial<TraceInput>): TraceInput => ({ text, ids: [spans.map((_, i) => i)], tokens: [spans.map(([from, to]) => text.slice(from, to))], spans: [spans], real: [spans.map(() => 1)], ...more });
  it('gives the text around a token by its characters', () => {
    expect(around(input({}), 0, 7, 10)).toEqual({ before: '…here was a', here: ' little', after: ' fox in a …' });
    expect(around(input({}), 0, 0, 5)).toEqual({ before: '', here: 'Once', after: ' upon…' });
  });
  it('falls back to neighbouring tokens, and to the position', () => {
    expect(around(input({ text: undefined, spans: [] }), 0, 7, 10)).toEqual({ before: '…here was a', here: ' little', after: ' fox in a …' });
    expect(around(input({}), 0, 99).here).toBe('#99');
    expect(tokenAt(input({}), 0, 99)).toBe('#99');
  });
});

describe('what a page kept', () => {
  const whole = { tab: 'attention', batch: 1, site: 'blocks.0.attn', head: 2, scale: 'log', view: { row: 1.5, col: 0, cell: 8 }, map: { drawn: 'lines', colours: 'magma', words: true, hideSpecial: true, sinkApart: true, renormalised: true, pins: [{ site: 'blocks.1.attn', head: 0 }], chosen: 4, focus: { query: 3, key: 0 }, top: 0.5 } };
  const plainMap = { drawn: 'map', colours: 'viridis', words: false, hideSpecial: false, sinkApart: false, renormalised: false, pins: [] };
  it('comes back as it was', () => expect(restore(JSON.parse(JSON.stringify(whole)))).toEqual(whole));
  it.each([undefined, null, 'x', 7, {}, { tab: 'sinks', batch: -1, head: 'a', scale: 3, site: 4, view: { row: 0, col: 0, cell: 0 } }, { view: { row: NaN, col: 0, cell: 3 } }, { map: 7 }, { map: { drawn: 'x', colours: 'jet', words: 1, pins: [{ site: 3, head: 0 }, null, { site: 'a', head: -1 }], chosen: 1.5, focus: { query: 1 }, top: 3 } }])('falls back from %o', kept => {
    expect(restore(kept)).toEqual({ tab: 'overview', batch: 0, head: 0, scale: 'linear', map: plainMap });
  });
});
