/** The runner: the only process that opens models from strangers in native code; it is killed to cancel. */
import { setPriority } from 'node:os';
import type { RunnerApi } from '../../contract/api.ts';
import { withoutRuntime } from '../../contract/platform.ts';
import { serve } from '../../contract/rpc.ts';
import { greetParent } from '../../children/child-side.ts';
import { reportModel } from '../sites/report-model.ts';

// A run takes every core: tiles of open traces and the editor come first.
try { setPriority(10); } catch { /* not allowed here: everything still works, less smoothly */ }

const port = greetParent('runner');
serve<RunnerApi>(port, {
  sites: ({ model }) => reportModel(model),
  weigh: async request => (await import('../run/weigh.ts')).weigh(request),
  capture: async (request, { progress }) => {
    const refused = withoutRuntime('Models cannot be run', process.platform, process.arch);
    if (refused) throw refused;
    // onnxruntime is loaded when first needed, so that a runner greets at once.
    const { capture } = await import('../run/capture.ts');
    return capture(request, { progress });
  },
});
