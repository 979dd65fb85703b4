/** The status item in its states: idle, running, waiting; with the device once it is known. */
import { expect, it } from 'vitest';
import { statusText } from '../../../extension/host/status-text.ts';

const ranOn = { device: 'cpu', versions: { onnxruntime: '1.30.0', node: 'v24.21.0' } }, trace = { text: 'model.onnx: Running · 1.2 s', model: 'model.onnx' };

it('idle: opens the log, and knows no device before a run', () => {
  expect(statusText({})).toMatchObject({ text: '$(telescope) AttnScope', label: 'AttnScope: idle', command: 'attnscope.showLog' });
  expect(statusText({}).tooltip).toContain('No model was run in this window yet.');
});
it('idle after a run: names the device and its versions', () => {
  expect(statusText({ ranOn })).toMatchObject({ text: '$(telescope) AttnScope · CPU', label: 'AttnScope: idle, models run on CPU' });
  expect(statusText({ ranOn }).tooltip).toContain('Models run on: CPU (onnxruntime 1.30.0, Node.js 24.21.0)');
});
it('running: says what and where, and a click cancels', () => {
  expect(statusText({ trace, ranOn })).toMatchObject({ text: '$(loading~spin) model.onnx: Running · 1.2 s · CPU', label: 'AttnScope: model.onnx: Running · 1.2 s', command: 'attnscope.cancel' });
  expect(statusText({ trace }).text).toBe('$(loading~spin) model.onnx: Running · 1.2 s');
});
it('waiting for a model to be written: a click cancels; a run goes before it', () => {
  const waiting = { text: 'b.onnx changed: traced again when written', model: 'b.onnx' };
  expect(statusText({ waiting })).toMatchObject({ text: '$(history) b.onnx changed: traced again when written', command: 'attnscope.cancel' });
  expect(statusText({ waiting, trace }).text).toMatch(/^\$\(loading~spin\) model/);
});
it('a file name cannot become a link', () => expect(statusText({ trace: { text: 'x', model: '[a](command:evil).onnx' } }).tooltip).toContain('\\[a\\]\\(command:evil\\).onnx'));
