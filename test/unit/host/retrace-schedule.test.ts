/** When a model that was written anew is traced again: on real files, with short pauses. */
import { appendFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createLosses } from '../../../extension/host/losses.ts';
import { createRetraceSchedule, modelStamp, type RetraceSchedule } from '../../../extension/host/retrace-schedule.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-retrace-')), quietMs = 60;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

interface Trial { readonly schedule: RetraceSchedule; readonly runs: { model: string; aborted: boolean }[]; readonly waits: string[]; want: boolean; busy: Promise<void>; runMs: number; most: number }
function trial(): Trial {
  let now = 0;
  const it: Trial = {
    runs: [], waits: [], want: true, busy: Promise.resolve(), runMs: 0, most: 0,
    schedule: createRetraceSchedule({
      stamp: model => modelStamp(model), wanted: () => it.want, idle: () => it.busy,
      run: async (model, signal) => {
        const one = { model, aborted: false };
        it.runs.push(one);
        it.most = Math.max(it.most, ++now);
        for (const end = Date.now() + it.runMs; Date.now() < end && !signal.aborted;) await pause(5);
        now--;
        one.aborted = signal.aborted;
      },
      waiting: models => { it.waits.push(models.join()); },
    }, quietMs),
  };
  return it;
}
const model = (name: string): string => { const file = join(folder, name); writeFileSync(file, name); return file; };

it('runs once after the last of many writes, when nothing has changed for a while', async () => {
  const one = trial(), file = model('many.onnx');
  for (let n = 0; n < 8; n++) { appendFileSync(file, 'x'); one.schedule.touched(file); await pause(20); }
  expect(one.runs).toEqual([]);
  await expect.poll(() => one.runs).toEqual([{ model: file, aborted: false }]);
  expect(one.waits).toEqual([file, '']);
  await pause(4 * quietMs);
  expect(one.runs).toHaveLength(1);
});
it('waits for external data beside it that still grows, although no event tells', async () => {
  const one = trial(), file = model('grows.onnx'), data = model('grows.onnx.data');
  one.schedule.touched(file);
  for (let n = 0; n < 10; n++) { appendFileSync(data, 'x'); await pause(40); }
  expect(one.runs).toEqual([]);
  await expect.poll(() => one.runs.length).toBe(1);
});
it('does nothing when the file is gone, the setting is off, or nobody trusts the workspace', async () => {
  const one = trial(), file = model('off.onnx');
  one.schedule.touched(join(folder, 'none.onnx'));
  one.want = false;
  one.schedule.touched(file);
  await expect.poll(() => one.waits.at(-1)).toBe('');
  expect(one.runs).toEqual([]);
});
it('asks again before the run: what was switched off in the meantime stays off', async () => {
  const one = trial(), a = model('a.onnx'), b = model('b.onnx');
  one.runMs = 200;
  one.schedule.touched(a);
  one.schedule.touched(b);
  await expect.poll(() => one.runs.length).toBe(1);
  one.want = false;
  await pause(400);
  expect(one.runs.map(run => run.model)).toEqual([a]);
});
it('two models run one after the other, and after what runs already', async () => {
  const one = trial(), a = model('c.onnx'), b = model('d.onnx');
  let free: () => void = () => undefined;
  one.busy = new Promise(resolve => { free = resolve; });
  one.runMs = 50;
  one.schedule.touched(a);
  one.schedule.touched(b);
  await pause(4 * quietMs);
  expect(one.runs).toEqual([]);
  free();
  await expect.poll(() => one.runs.map(run => run.model).sort()).toEqual([a, b]);
  expect(one.most).toBe(1);
});
it('a model that changes while it is traced is given up and traced anew', async () => {
  const one = trial(), file = model('e.onnx');
  one.runMs = 5_000;
  one.schedule.touched(file);
  await expect.poll(() => one.runs.length).toBe(1);
  one.runMs = 10;
  utimesSync(file, new Date(), new Date(Date.now() + 5_000));
  one.schedule.touched(file);
  await expect.poll(() => one.runs).toEqual([{ model: file, aborted: true }, { model: file, aborted: false }]);
});
it('cancel ends what waits and what runs', async () => {
  const one = trial(), a = model('f.onnx'), b = model('g.onnx');
  one.runMs = 5_000;
  one.schedule.touched(a);
  await expect.poll(() => one.runs.length).toBe(1);
  one.schedule.touched(b);
  one.schedule.cancel();
  await expect.poll(() => one.runs).toEqual([{ model: a, aborted: true }]);
  await pause(4 * quietMs);
  expect(one.runs).toHaveLength(1);
  expect(one.waits.at(-1)).toBe('');
});

it('a process that died comes back by itself, but not twice within half a minute; a person starts the count anew', () => {
  const losses = createLosses();
  expect([losses.again(0), losses.again(29_000), losses.again(70_000)]).toEqual([false, true, false]);
  losses.forget();
  expect(losses.again(70_001)).toBe(false);
});
