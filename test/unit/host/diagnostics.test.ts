/** Copy Diagnostics: what is in it, and what cannot be. */
import { expect, it, vi } from 'vitest';
import { diagnosticsText, withoutPrivate, type Facts } from '../../../extension/host/diagnostics.ts';
import { rememberErrors } from '../../../extension/host/recent-errors.ts';

const secret = 'The launch code of the Zurich office is 1234';
const facts: Facts = {
  version: '0.1.0', editor: { name: 'code-server', version: '1.139.0', host: 'server', ui: 'web', remote: 'ssh-remote' },
  machine: { platform: 'linux', arch: 'x64', release: '6.1', cpus: 2, cpu: ' Xeon ', memoryBytes: 8 * 2 ** 30, node: '24.21.0' },
  workspace: { folders: 1, trusted: false },
  engine: { node: '/home/ann/bin/node', processes: [{ role: 'runner', versions: { node: '24.21.0', v8: '13.6', onnxruntime: undefined } }], adapter: 'google swiftshader', lastRun: { device: 'cpu', versions: { onnxruntime: '1.30.0' } } },
  settings: [{ id: 'attnscope.traceFolder', value: '/home/ann/traces', changed: true }, { id: 'attnscope.codeLens', value: true, changed: false }],
  models: { total: 2, shown: [{ path: 'storyteller/model.onnx', bytes: 12_300_000, tokenizer: true }] },
  traces: 3,
  errors: [{ atMs: 0, text: `“${secret.slice(0, 10)}…” is no token id.\nUnexpected token 't', "this is te"... is not valid JSON\n    at f (/home/ann/x.ts:1)` }, { atMs: 1, text: `failed on ${secret}` }],
};
const text = diagnosticsText(facts, { home: '/home/ann', prompts: [secret] });

it('names versions, machine, runtime, adapter, settings, models and errors', () => {
  for (const line of ['- AttnScope 0.1.0', '- code-server 1.139.0 (server, web, remote ssh-remote)', '- linux-x64 6.1, 2 × Xeon, 8.0 GiB; extension host on Node.js 24.21.0', '- workspace: 1 folder, not trusted',
    '- runner: node 24.21.0, v8 13.6', '- adapter: google swiftshader', '- last run: cpu, onnxruntime 1.30.0', '- `attnscope.codeLens`: `true`', '#### Models found: 2', '- `storyteller/model.onnx`, 12.3 MB without external data', '- … and 1 more', '- traces remembered: 3', '#### Last errors: 2', '- 1970-01-01T00:00:00.001Z'])
    expect(text.split('\n')).toContain(line);
});
it('holds no prompt, no content of a file, and no name of a home folder', () => {
  expect(text).not.toMatch(/launch|Zurich|this is te|\/home\/ann/);
  expect(text).toContain('- `attnscope.traceFolder`: `"~/traces"` (changed)');
  expect(text).toContain('- Node.js at `~/bin/node`');
  expect(text).toContain('      failed on ‹prompt›');
  expect(text).toContain("      Unexpected token 't', \"…\"... is not valid JSON");
});
it('a prompt that holds another is taken out whole, and one of two letters stays', () => {
  expect(withoutPrivate('a: key to the door, key', { home: '', prompts: ['key', 'key to the door', 'a:'] })).toBe('a: ‹prompt›, ‹prompt›');
});
it('says so when no process runs', () => expect(diagnosticsText({ ...facts, engine: { node: 'n', processes: [], adapter: 'none' } }, { home: '', prompts: [] })).toContain('- no process runs'));

it('the last ten errors of the log are remembered, and the log is told all the same', () => {
  const told = vi.fn(), channel = { name: 'x', error: told, info(this: { name: string }) { return this.name; } }, { log, errors } = rememberErrors(channel, () => 5);
  for (let n = 0; n < 12; n++) log.error(`e${n}`);
  log.error(new Error('with a stack'));
  expect(told).toHaveBeenCalledTimes(13);
  expect(errors.recent()).toHaveLength(10);
  expect(errors.recent()[0]).toEqual({ atMs: 5, text: 'e3' });
  expect(errors.recent()[9].text).toMatch(/^Error: with a stack\n/);
  expect(log.info()).toBe('x');
  log.error('y'.repeat(5_000));
  expect(errors.recent()[9].text).toHaveLength(2_000);
});
