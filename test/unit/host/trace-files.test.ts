/** Traces as a list: in which order, under which names, and which ones go when they take too much room. */
import { describe, expect, it } from 'vitest';
import type { TraceSummary } from '../../../extension/contract/api.ts';
import { groupText, groupTraces, nameProblem, overQuota, totalText, traceText, type TraceEntry } from '../../../extension/host/traces/trace-files.ts';

const summary = (file: string, created: string, model = '/w/gpt2/model.onnx'): TraceSummary => ({
  file, bytes: 1, created, model: { path: model, file: 'model.onnx', graphHash: '', bytes: 1, modified: '', opsets: {}, producer: '', nodes: 1 },
  prompt: 'Anna gave the lantern\nto Boris.', batch: 1, tokens: 15, sites: 6, stored: 'F32', parity: { worst: 2.5e-6, failed: 0 },
});
const entry = (name: string, day: number, more: Partial<TraceEntry> = {}): TraceEntry => {
  const file = `/s/${name}.attntrace`, modifiedMs = Date.UTC(2026, 0, day);
  return { file, bytes: 100, modifiedMs, place: 'storage', pinned: false, summary: summary(file, new Date(modifiedMs).toISOString()), ...more };
};
const names = (entries: readonly TraceEntry[]): string[] => entries.map(({ file }) => file.slice(3, -10));

it('groups by model: newest first, and the model of the newest first', () => {
  const other = entry('c', 9, { summary: summary('/s/c.attntrace', '2026-01-09T00:00:00Z', '/w/bert/model.onnx') });
  const groups = groupTraces([entry('a', 3), other, entry('b', 5), entry('broken', 1, { summary: undefined, problem: 'No trace.' })]);
  expect(groups.map(group => [group.model, names(group.traces), group.bytes])).toEqual([['/w/bert/model.onnx', ['c'], 100], ['/w/gpt2/model.onnx', ['b', 'a'], 200], [undefined, ['broken'], 100]]);
  expect(groups.map(group => groupText(group).label)).toEqual(['model.onnx', 'model.onnx', 'Other files']);
  expect(groupText(groups[1]).description).toBe('gpt2 · 200 bytes · 2 traces');
});

describe('the quota', () => {
  const five = [entry('d4', 4), entry('d1', 1), entry('d5', 5), entry('d2', 2), entry('d3', 3)];
  it('lets the oldest go until the rest fits, and no more', () => {
    expect(names(overQuota(five, 300, new Set()))).toEqual(['d1', 'd2']);
    expect(names(overQuota(five, 499, new Set()))).toEqual(['d1']);
    expect(overQuota(five, 500, new Set())).toEqual([]);
  });
  it('never takes a pinned one, one that is open, the one just made, or one outside of storage', () => {
    const mixed = [entry('d1', 1, { pinned: true }), entry('d2', 2), entry('d3', 3), entry('mine', 1, { place: 'folder' }), entry('kept', 1, { place: 'workspace' }), entry('d4', 4)];
    expect(names(overQuota(mixed, 100, new Set(['/s/d2.attntrace', '/s/d4.attntrace'])))).toEqual(['d3']);
    // What lies elsewhere does not count either.
    expect(overQuota(mixed, 400, new Set())).toEqual([]);
  });
  it('0 is no limit', () => expect(overQuota(five, 0, new Set())).toEqual([]));
  it('counts the age by when it was traced, not by when the file was copied', () => {
    const copied = entry('old', 9, { summary: summary('/s/old.attntrace', '2025-01-01T00:00:00Z') });
    expect(names(overQuota([...five, copied], 500, new Set()))).toEqual(['old']);
  });
});

describe('a row', () => {
  const now = new Date(2026, 5, 1, 12);
  it('says prompt, time, tokens, size and parity', () => {
    const at = new Date(2026, 5, 1, 9, 5), row = traceText(entry('model-20260601-090500', 1, { bytes: 210_000, summary: summary('', at.toISOString()) }), now);
    expect(row.label).toBe('“Anna gave the lantern t…”');
    expect(row.description).toBe('09:05 · 15 tokens · 210 kB · parity 2.5e-6');
    expect(row.tooltip).toContain('workspace storage');
  });
  it('goes by the name that a person gave it, and says what is special', () => {
    const of = { ...summary('', new Date(2025, 0, 2).toISOString()), kept: { layers: [0, 1, 2, 9], ofSites: 12 }, parity: { worst: 0.5, failed: 2 } };
    expect(traceText(entry('before the fix', 1, { pinned: true, summary: of }), now)).toMatchObject({ label: 'before the fix', description: '“Anna gave the lantern t…” · Jan 2, 2025 · 15 tokens · 100 bytes · parity failed at 2 sites · layers 0-2,9 · pinned' });
    expect(traceText(entry('model-20260601-090500', 1, { summary: undefined, problem: 'It is damaged.' }), now)).toMatchObject({ label: 'model-20260601-090500', description: expect.stringContaining('cannot be read') });
  });
  it('shows markup of strangers as text', () => expect(traceText(entry('x', 1, { summary: { ...summary('', ''), prompt: '[a](command:evil) <img>' } }), now).tooltip).toContain('\\[a\\]\\(command:evil\\) \\<img\\>'));
});

it('the head of the view says the total and the limit', () => {
  expect(totalText([], 5e9)).toBe('');
  expect(totalText([entry('a', 1), entry('b', 2)], 5e9)).toBe('200 bytes of 5.0 GB');
  expect(totalText([entry('a', 1), entry('b', 2, { place: 'folder', bytes: 2e6 })], 5e9)).toBe('2.0 MB, 100 bytes of 5.0 GB in storage');
  expect(totalText([entry('b', 2, { place: 'workspace', bytes: 2e6 })], 5e9)).toBe('2.0 MB');
  expect(totalText([entry('a', 1)], 0)).toBe('100 bytes');
});

it('a name is refused where a file system would refuse it, or where it is taken', () => {
  const taken = new Set(['there.attntrace']);
  expect(['good name', 'v1.5', 'ünïcode'].map(name => nameProblem(name, taken))).toEqual([undefined, undefined, undefined]);
  for (const name of ['', '  ', 'a/b', 'a\\b', '..', 'x.', 'a:b', 'a\u0000b', 'x'.repeat(121)]) expect(nameProblem(name, taken), name).toBeDefined();
  expect(nameProblem('There', taken)).toBe('There is already a trace named There.');
});
