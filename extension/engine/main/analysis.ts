/** The child process that owns traces: completes captures, answers tiles and rows, exports, and knows the device. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnalysisApi, Progress } from '../../contract/api.ts';
import { Cancelled } from '../../contract/errors.ts';
import { serve, type Server } from '../../contract/rpc.ts';
import { greetParent } from '../../children/child-side.ts';
import { answerThumbnails, answerTile } from '../analysis/answer-tile.ts';
import { completeCapture } from '../analysis/complete.ts';
import { differenceTile } from '../analysis/diff-tile.ts';
import { diffTraces } from '../analysis/diff.ts';
import { exportMap } from '../analysis/export-map.ts';
import { exportPattern } from '../analysis/export-pattern.ts';
import { look } from '../analysis/look.ts';
import { OpenTraces } from '../analysis/open-traces.ts';
import { summarise } from '../analysis/summaries.ts';
import { headRows } from '../analysis/tile.ts';
import { probeDevice } from '../compute/device.ts';
import { Devices, wantedDevice } from '../compute/gpu/devices.ts';
import { first } from '../compute/turns.ts';
import { discardCapture } from '../trace/part-writer.ts';

const here = dirname(fileURLToPath(import.meta.url)), traces = new OpenTraces();
/** Setting attnscope.device, as the host says it when it starts this process; its log is the host's. */
const devices = new Devices(join(here, 'shaders'), wantedDevice(process.env['ATTNSCOPE_DEVICE']), sentence => console.error(sentence));

const server: Server<AnalysisApi> = {
  complete: (captured, { signal, progress }) => completeCapture(captured, { signal, progress: (value: Progress) => progress(value) }),
  discard: ({ out }) => discardCapture(out),
  open: ({ file }) => traces.open(file),
  close: ({ trace }) => traces.close(trace),
  summaries: ({ files }, { signal }) => summarise(files, signal),
  tile: (request, { signal }) => first(() => answerTile(traces, request, () => heard(signal), devices)),
  thumbnails: (request, { signal }) => first(() => answerThumbnails(traces, request, () => heard(signal))),
  rows: ({ trace, site, batch, head }) => first(async () => headRows(traces.view(trace, site), batch, head)),
  look: (request, { signal }) => first(() => look(traces, request, () => heard(signal))),
  picture: ({ trace, picture }) => traces.picture(trace, picture),
  diff: ({ a, b, allRows, tolerance }, { signal, progress }) => diffTraces(traces.trace(a), traces.trace(b), { allRows, tolerance, signal, progress }),
  differenceTile: (request, { signal }) => first(async () => {
    const sides = [request.a, request.b].map(trace => ({ view: traces.view(trace, request.site), prepared: traces.prepared({ ...request, trace }) }));
    return differenceTile({ ...request, a: sides[0], b: sides[1], between: () => heard(signal) });
  }),
  exportMap: ({ trace, out, ...head }, { signal }) => exportMap(traces.trace(trace), { ...head, out }, signal),
  exportPattern: ({ trace, site, out, ...part }, { signal }) => exportPattern(traces.trace(trace), { ...part, sites: [site], out, scores: false }, signal),
  device: () => probeDevice(join(here, 'shaders')),
};

/** Between the blocks of a tile: a cancelled one stops, and nothing else waits. */
async function heard(signal: AbortSignal): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
  if (signal.aborted) throw new Cancelled();
}

serve(greetParent('analysis'), server);
