/** Traces are open once, closed when nobody looks, and opened again after the engine came back. */
import { expect, it, vi } from 'vitest';
import type { AnalysisApi } from '../../../extension/contract/api.ts';
import { UserError } from '../../../extension/contract/errors.ts';
import type { Client } from '../../../extension/contract/rpc.ts';
import { createOpenTraces } from '../../../extension/host/open-traces.ts';

function engine() {
  let next = 0;
  const open = vi.fn(async ({ file }: { file: string }) => ({ trace: `t${++next}`, file, bytes: 1, manifest: {} })), close = vi.fn(async () => undefined);
  const traces = createOpenTraces(async () => ({ open, close }) as unknown as Client<AnalysisApi>);
  return { traces, open, close };
}

it('opens a file once for all who look, and closes it after the last', async () => {
  const { traces, open, close } = engine();
  const [a, b] = [traces.lease('f'), traces.lease('f')];
  expect(open).not.toHaveBeenCalled();
  const [first, second] = await Promise.all([a.open(), b.open()]);
  expect(first).toBe(second);
  expect(open).toHaveBeenCalledTimes(1);
  a.dispose();
  a.dispose();
  await Promise.resolve();
  expect(close).not.toHaveBeenCalled();
  b.dispose();
  await vi.waitFor(() => expect(close).toHaveBeenCalledWith({ trace: 't1' }));
});
it('gives a new id after a reset, to leases that were there before', async () => {
  const { traces } = engine();
  const lease = traces.lease('f');
  expect((await lease.open()).trace).toBe('t1');
  traces.reset();
  expect((await lease.open()).trace).toBe('t2');
});
it('tries again after a failure, and never closes what was not open', async () => {
  const { traces, open, close } = engine();
  open.mockRejectedValueOnce(new UserError('f is no trace.'));
  const lease = traces.lease('f');
  await expect(lease.open()).rejects.toThrow('f is no trace.');
  expect((await lease.open()).trace).toBe('t1');
  lease.dispose();
  const other = traces.lease('g');
  other.dispose();
  await vi.waitFor(() => expect(close).toHaveBeenCalledTimes(1));
});
it('waits for a trace that is being written, tells how far it is, and fails as its run does', async () => {
  const { traces, open } = engine(), said: string[] = [];
  let written: () => void = () => undefined;
  traces.onSaid((file, text) => said.push(`${file}: ${text}`));
  traces.say('f', 'nobody waits for it');
  traces.expect('f', new Promise<void>(resolve => { written = resolve; }));
  const opening = traces.lease('f').open();
  traces.say('f', 'Running');
  await Promise.resolve();
  expect(open).not.toHaveBeenCalled();
  written();
  expect((await opening).file).toBe('f');
  expect(said).toEqual(['f: Running']);
  traces.expect('g', Promise.reject(new UserError('The disk is full.', 'Make room.')));
  await expect(traces.lease('g').open()).rejects.toThrow('The disk is full.');
});
