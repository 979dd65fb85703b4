/** What stands over classes and in hovers before and after a trace, and that a hover stays within VS Code's limit. */
import { describe, expect, it } from 'vitest';
import type { HeadStats, Parity } from '../../../extension/contract/trace.ts';
import { hoverMarkdown, maxHoverCharacters, type HoverTrace } from '../../../extension/source/hover-markdown.ts';
import { hoverAt } from '../../../extension/source/hovers.ts';
import { lensesFor, type TraceInfo } from '../../../extension/source/lenses.ts';
import { linkSites } from '../../../extension/source/link.ts';
import { fixture, fixtureText, nodeSite, positionOf, textAt } from './support.ts';

const sites = [0, 1].map(i => nodeSite(i, `/transformer/h.${i}/attn/Softmax`));
const stats = (head: number, sink: number, batch = 0): HeadStats => ({ batch, head, sink, sinkKey: 0, patternEntropy: 1.5, prevTokenScore: 0, selfAttentionScore: 0, inductionScore: 0, qkDistance: 3, qkDistanceVariance: 1, maxProb: 0.5, saturation: 0, firstTokenShare: sink });
const parity = (maxAbs: number | null, ok: boolean | null = true): Parity => ({ maxAbs, of: maxAbs === null ? 'none' : 'pattern', rows: 64, dtype: 'F32', tolerance: 1e-5, ok });
const trace: TraceInfo = {
  // Head 1 of the first site is a sink in both samples and counts once; 0.3 itself is not above the threshold.
  heads: { 'blocks.0.attn': [stats(0, 0.1), stats(1, 0.9), stats(1, 0.8, 1), stats(2, 0.3)], 'blocks.1.attn': [stats(0, 0.31), stats(1, 0.2)] },
  parity: { 'blocks.0.attn': parity(4.4e-7), 'blocks.1.attn': parity(2.1e-6) },
};
const text = fixtureText('nanogpt.py');

describe('lenses', () => {
  it('offer a trace over every attention class before one exists', async () => {
    const lenses = lensesFor(await fixture('hf_style.py'), []);
    expect(lenses.map(l => [l.className, l.kind, l.title])).toEqual([['NovaAttention', 'trace', 'Trace Attention'], ['NovaSdpaAttention', 'trace', 'Trace Attention']]);
    expect(lenses[0].range).toMatchObject({ start: { line: positionOf(fixtureText('hf_style.py'), 'class NovaAttention(nn').line, column: 0 } });
  });
  it('show what was measured, and only over the class that ran', async () => {
    const documents = [await fixture('nanogpt.py'), await fixture('decoy.py')];
    const links = linkSites({ sites, modelFile: 'model.onnx' }, documents);
    expect(lensesFor(documents[0], links, trace).map(l => [l.className, l.kind, l.title, l.sites])).toEqual([
      ['CausalSelfAttention', 'measured', '2 sites · 2 sink heads · parity 2e-6', ['blocks.0.attn', 'blocks.1.attn']],
    ]);
    expect(lensesFor(documents[1], links, trace).map(l => [l.className, l.kind, l.sites])).toEqual([['Attention', 'trace', []], ['TokenAttention', 'trace', []]]);
  });
  it('say stale, and what changed', async () => {
    const document = await fixture('nanogpt.py');
    const links = linkSites({ sites, modelFile: 'model.onnx' }, [document]);
    expect(lensesFor(document, links, { ...trace, stale: 'model.onnx changed' })[0]).toMatchObject({ kind: 'stale', title: 'stale: model.onnx changed · trace again' });
  });
  it.each([
    [{ 'blocks.0.attn': parity(4e-7), 'blocks.1.attn': parity(3.2e-2, false) }, '2 sites · 2 sink heads · parity fails at 1 site (3e-2)'],
    [{ 'blocks.0.attn': parity(null, null), 'blocks.1.attn': parity(null, null) }, '2 sites · 2 sink heads · parity not checked'],
    [{ 'blocks.0.attn': parity(0), 'blocks.1.attn': parity(0) }, '2 sites · 2 sink heads · parity 0'],
  ])('say the worst parity', async (parities, title) => {
    const document = await fixture('nanogpt.py');
    expect(lensesFor(document, linkSites({ sites, modelFile: 'model.onnx' }, [document]), { ...trace, parity: parities })[0].title).toBe(title);
  });
  it('put numbers on the subclass that was built, not on the base whose forward ran', async () => {
    const document = await fixture('subclass.py');
    const links = linkSites({ sites: [0, 1].map(i => nodeSite(i, `/layers.${i}/attn/Softmax`)), modelFile: 'model.onnx' }, [document]);
    expect(lensesFor(document, links, trace).map(l => [l.className, l.title])).toEqual([
      ['Attention', 'Trace Attention · its forward ran in CausalAttention'], ['CausalAttention', '2 sites · 2 sink heads · parity 2e-6'], ['WindowAttention', 'Trace Attention'],
    ]);
  });
});

describe('hovers', () => {
  it('answer on the class line, the assignments, and the calls', async () => {
    const document = await fixture('nanogpt.py');
    const links = linkSites({ sites, modelFile: 'model.onnx' }, [document]);
    const at = (needle: string, offset = 2) => { const h = hoverAt(document, links, positionOf(text, needle, offset)); return h && [h.what, textAt(text, h.range), h.sites.length]; };
    expect(at('class CausalSelfAttention', 8)).toEqual(['class', 'class CausalSelfAttention(nn.Module)', 2]);
    expect(at('self.attn = ')).toEqual(['assign', 'self.attn = CausalSelfAttention(config)', 2]);
    expect(at('self.attn(self.ln_1', 6)).toEqual(['call', 'self.attn', 2]);
    expect(at('x = block(x)', 5)).toEqual(['call', 'block', 2]);
    expect(at('self.transformer = ', 6)).toMatchObject(['assign', expect.stringContaining('nn.ModuleDict'), 2]);
    expect(at('self.mlp(x)', 6)).toBeUndefined();
    expect(at('class MLP', 7)).toBeUndefined();
    expect(hoverAt(await fixture('decoy.py'), links, { line: 5, column: 8 })).toBeUndefined();
  });
  it('tell sites of different attributes apart', async () => {
    const document = await fixture('mixed.py');
    const both = [nodeSite(0, '/stages/first/attention/Softmax'), nodeSite(1, '/head/mixer/Softmax')];
    const links = linkSites({ sites: both, modelFile: 'model.onnx' }, [document]);
    const mixed = fixtureText('mixed.py');
    expect(hoverAt(document, links, positionOf(mixed, 'self.mixer = ', 6))?.sites).toEqual(['blocks.1.attn']);
    expect(hoverAt(document, links, positionOf(mixed, 'self.attention = ', 6))?.sites).toEqual(['blocks.0.attn']);
    expect(hoverAt(document, links, positionOf(mixed, 'self.head = ', 6))?.sites).toEqual(['blocks.1.attn']);
  });
});

describe('hover text', () => {
  const hoverOf = async () => {
    const document = await fixture('nanogpt.py');
    return hoverAt(document, linkSites({ sites, modelFile: 'model.onnx' }, [document]), positionOf(text, 'class CausalSelfAttention', 8))!;
  };
  const full = (over: Partial<HoverTrace> = {}): HoverTrace => ({ ...trace, trace: '/home/me/my (old) traces/a.attntrace', sites, ...over });

  it('has numbers, evidence, and links that open the head', async () => {
    const markdown = hoverMarkdown(await hoverOf(), full(), (site, head) => `data:image/png;base64,AAAA${site.length}${head}`);
    expect(markdown).toContain('2 sites · 2 sink heads · parity 2e-6 · found by module path\n');
    expect(markdown).toContain('belongs to module `transformer.h.0.attn`: walked from class `GPT`.');
    const links = [...markdown.matchAll(/\]\(command:attnscope\.openHead\?([^)]*)\)/g)].map(m => JSON.parse(decodeURIComponent(m[1])));
    expect(links[0]).toEqual([{ trace: '/home/me/my (old) traces/a.attntrace', site: 'blocks.0.attn', head: 1, batch: 0 }]);
    // Two in the sentence about sinks, five thumbnails.
    expect(links).toHaveLength(7);
    expect(markdown.match(/!\[L\dH\d\]\(data:image\/png;base64,/g)).toHaveLength(5);
    expect(markdown).toContain('[L0H1](command:');
    expect(markdown).toContain('0.90 on token 0');
  });
  it('says that nothing is traced yet, and that a trace is stale', async () => {
    expect(hoverMarkdown(await hoverOf(), undefined)).toMatch(/2 attention sites, not traced yet\./);
    expect(hoverMarkdown(await hoverOf(), full({ stale: 'model.onnx changed' }))).toContain('(stale: `model.onnx changed`)');
  });
  it.each([[64, 2, 4_000], [64, 12, 1_200], [64, 96, 900], [64, 2, 120_000], [4, 2, 10]])('stays under the limit: %i heads × %i sites, thumbnails of %i characters', async (heads, layers, size) => {
    const many = Array.from({ length: layers }, (_, i) => nodeSite(i, `/transformer/h.${i}/attn/Softmax`));
    const info = full({
      sites: many, parity: Object.fromEntries(many.map(s => [s.name, parity(1e-7)])),
      heads: Object.fromEntries(many.map((s, i) => [s.name, Array.from({ length: heads }, (_, h) => stats(h, ((h * 37 + i * 11) % 100) / 100))])),
    });
    const document = await fixture('nanogpt.py');
    const hover = hoverAt(document, linkSites({ sites: many, modelFile: 'model.onnx' }, [document]), positionOf(text, 'class CausalSelfAttention', 8))!;
    const markdown = hoverMarkdown(hover, info, () => `data:image/svg+xml;base64,${'A'.repeat(size)}`);
    expect(markdown.length).toBeLessThanOrEqual(maxHoverCharacters);
    const rows = markdown.split('\n\n').filter(p => /^L\d+ /.test(p)).join(' ');
    const shown = rows.match(/\]\(command:/g)?.length ?? 0;
    expect(rows.match(/!\[L\d+H\d+\]/g)?.length ?? 0).toBe(size > 12_000 ? 0 : shown);
    const left = /(\d+) more heads? do(es)? not fit/.exec(markdown)?.[1] ?? '0';
    expect(shown + Number(left)).toBe(heads * layers);
    if (heads * layers * (size + 400) < maxHoverCharacters) expect(left).toBe('0');
    // What fits is used: at least half of the limit.
    else if (size <= 12_000) expect(markdown.length).toBeGreaterThan(maxHoverCharacters / 2);
    // Nothing is cut: every picture's link is whole.
    expect(markdown.match(/command:attnscope\.openHead\?[^)\s]*\)/g)?.length).toBe(shown + Math.min(5, Object.values(info.heads).flat().filter(h => h.sink > 0.3).length));
  });
  it('takes no picture that is not one', async () => {
    expect(hoverMarkdown(await hoverOf(), full(), () => 'https://example.org/x.png')).not.toContain('example.org');
    expect(hoverMarkdown(await hoverOf(), full(), () => 'data:image/png;base64,AA)](command:evil)')).not.toContain('evil');
  });
});
