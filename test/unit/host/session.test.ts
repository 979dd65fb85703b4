/** What is remembered of a workspace: after a reload, in order, bounded, and whatever an older version left behind. */
import { expect, it, vi } from 'vitest';
import { openSession, type LatestTrace, type Memory } from '../../../extension/host/session.ts';

function memory(value?: unknown): Memory & { value: unknown } {
  return { value, get() { return this.value; }, async update(_key, next) { this.value = structuredClone(next); } };
}
const trace = (model: string, n = 1): LatestTrace => ({ model, file: `${model}-${n}.attntrace`, prompt: { kind: 'text', text: `prompt ${n}` }, createdMs: n });
const here = { uri: 'file:///w/model.py', className: 'Attention' };

it('keeps the newest trace of each model, over a reload', () => {
  const kept = memory();
  const session = openSession(kept);
  for (const one of [trace('a'), trace('b'), trace('a', 2)]) session.record(one);
  expect(openSession(kept).latest()).toEqual([trace('a', 2), trace('b')]);
  expect(openSession(kept).ofFile('a-2.attntrace')).toEqual(trace('a', 2));
  expect(openSession(kept).ofFile('a-1.attntrace')).toBeUndefined();
});
it('remembers a choice for its class, its file and the workspace', () => {
  const session = openSession(memory());
  const ids = { kind: 'ids', ids: [1] } as const, text = { kind: 'text', text: 'x' } as const;
  session.choose(here, { model: 'm', prompt: ids });
  session.choose({ ...here, className: 'Other' }, { model: 'n', prompt: text });
  expect(session.chosen(here)).toEqual({ model: 'm', prompt: ids });
  expect(session.chosen({ ...here, className: 'Third' })).toEqual({ model: 'n', prompt: text });
  // Another file may belong to another model: it is asked for.
  expect(session.chosen({ uri: 'file:///elsewhere.py', className: 'A' })).toEqual({ model: undefined, prompt: undefined });
  expect(session.chosen(undefined)).toEqual({ model: 'n', prompt: text });
});
it('remembers which of several models was chosen last, also after its traces are gone', () => {
  const kept = memory(), session = openSession(kept);
  for (const model of ['q4', 'fp16', 'other']) { session.choose({ ...here, className: model }, { model }); session.record(trace(model)); }
  session.forget('fp16-1.attntrace');
  expect([openSession(kept).chosenAmong(['model', 'q4', 'fp16']), session.chosenAmong(['model'])]).toEqual(['fp16', undefined]);
});
it('knows nothing before anything was chosen', () => expect(openSession(memory()).chosen(here)).toEqual({ model: undefined, prompt: undefined }));
it('lists prompts newest first, each once, and no more than a list can show', () => {
  const session = openSession(memory());
  for (let n = 0; n < 30; n++) session.choose(undefined, { model: 'm', prompt: { kind: 'text', text: `p${n}` } });
  session.choose(undefined, { model: 'm', prompt: { kind: 'text', text: 'p25' } });
  expect(session.prompts().slice(0, 3)).toEqual(['p25', 'p29', 'p28']);
  expect(session.prompts()).toHaveLength(12);
  session.choose(undefined, { model: 'm', prompt: { kind: 'text', text: 'y'.repeat(20_001) } });
  expect(session.prompts()[0]).toBe('p25');
});
it('does not grow without end', () => {
  const kept = memory();
  const session = openSession(kept);
  for (let n = 0; n < 300; n++) { session.record(trace(`m${n}`)); session.choose({ uri: `file:///${n}.py`, className: 'A' }, { model: 'm' }); }
  const stored = kept.value as { traces: unknown[]; choices: unknown[] };
  expect([stored.traces.length, stored.choices.length]).toEqual([20, 200]);
});
it('tells listeners of a new trace, and of a forgotten one that was there', () => {
  const session = openSession(memory()), heard = vi.fn();
  const listening = session.onDidChange(heard);
  session.record(trace('a'));
  session.forget('unknown.attntrace');
  expect(heard).toHaveBeenCalledTimes(1);
  session.forget('a-1.attntrace');
  expect(session.latest()).toEqual([]);
  expect(heard).toHaveBeenCalledTimes(2);
  listening.dispose();
  session.record(trace('b'));
  expect(heard).toHaveBeenCalledTimes(2);
});
it.each([['text'], [null], [{ traces: 'no', choices: 7, prompts: [1] }], [{ traces: [{ model: 1 }, null], choices: [['k'], ['k', null], 3] }]])('drops what does not look right: %j', value => {
  const session = openSession(memory(value));
  expect([session.latest(), session.prompts(), session.chosen(undefined)]).toEqual([[], [], { model: undefined, prompt: undefined }]);
});
it('keeps what looks right beside what does not', () => {
  expect(openSession(memory({ traces: [{ model: 1 }, trace('a')] })).latest()).toEqual([trace('a')]);
});
