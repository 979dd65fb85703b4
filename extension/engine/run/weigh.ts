/** What a trace would take, without running the model: facts from the graph and the prompt, speed from this machine. */
import type { TraceRequest } from '../../contract/api.ts';
import type { RunFacts } from '../../contract/estimate.ts';
import { machineSpeed } from './session/machine-speed.ts';
import { prepareRun } from './prepare-run.ts';

/** Errors: those of `prepareRun`. */
export async function weigh(request: TraceRequest): Promise<RunFacts> {
  const { facts } = await prepareRun(request), speed = await machineSpeed();
  return { ...facts, ...(speed ? { speed } : {}) };
}
