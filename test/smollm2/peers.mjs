/** The sides of the benchmark, each a process of its own that is asked for one round after the other. */
import { fork, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BedError, root } from '../bed/run.mjs';

/** Our engine or plain onnxruntime: test/bench/worker.ts, bundled. */
export function worker() {
  const child = fork(join(root, 'dist/bench-worker.js'), { serialization: 'advanced' });
  return {
    ask: order => new Promise((resolve, reject) => {
      const gone = code => reject(new BedError(`The process of ${order.kind} ended with ${code}.`));
      child.once('exit', gone);
      child.once('message', message => { child.off('exit', gone); resolve(message); });
      child.send(order);
    }),
    end: () => { child.kill(); },
  };
}

/** peers.py with a model loaded; a failure is a `BedError` with Python's last line. */
export async function pythonPeer(python, kind, folder) {
  const child = spawn(python, [join(import.meta.dirname, 'peers.py'), kind, folder], { stdio: ['pipe', 'pipe', 'pipe'] }), lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let told = '';
  child.stderr.on('data', chunk => { told = (told + chunk).slice(-20_000); });
  // Writing to one that is gone must not end this process; the missing answer says it.
  child.stdin.on('error', () => undefined);
  const exited = new Promise(resolve => child.once('exit', resolve));
  const next = async () => {
    const { value, done } = await lines.next();
    if (!done) return value;
    const code = await exited;
    throw new BedError(`${kind === 'lens' ? 'TransformerLens' : 'Hugging Face'} ended with ${code ?? 'a signal (out of memory?)'}: ${told.trim().split('\n').at(-1) ?? ''}`);
  };
  for (;;) if (await next() === 'ready') break;
  return {
    round: async ids => {
      child.stdin.write(`${JSON.stringify(ids)}\n`);
      const { ms, peakBytes, check } = JSON.parse(await next());
      return { ms, peakBytes: [peakBytes], check };
    },
    end: () => { child.stdin.end(); child.kill(); },
  };
}
