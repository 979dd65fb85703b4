/** The child's end: greets the parent, carries messages, and never outlives it. */
import { Worker } from 'node:worker_threads';
import { apiVersion, type Hello } from '../contract/api.ts';
import type { Port } from '../contract/rpc.ts';
import { readsWire, wireSample, wireVariable, type Greeting } from './handshake.ts';

/** Prints the greeting and gives the port to the parent. Throws when this process was not forked. */
export function greetParent(role: Hello['role'], versions: Readonly<Record<string, string>> = {}): Port {
  if (!process.send) throw new Error('This file is started by AttnScope itself.');
  const greeting: Greeting = {
    apiVersion, role, pid: process.pid, versions: { node: process.versions.node, v8: process.versions.v8, ...versions },
    wire: wireSample(), reads: readsWire(process.env[wireVariable] ?? ''),
  };
  process.stdout.write(`${JSON.stringify(greeting)}\n`);
  watchParent();
  // Ctrl-C in a terminal goes to the whole group; the parent decides what it means.
  process.on('SIGINT', () => undefined);
  const closed = new Promise<string>(resolve => { process.once('disconnect', () => { resolve('The parent is gone.'); setImmediate(() => process.exit(0)); }); });
  return { post: message => { if (process.connected) process.send!(message); }, listen: on => { process.on('message', on); }, closed };
}

/**
 * Ends this process when its parent is gone, even while the main thread is inside a native call that lasts minutes: a thread of its own
 * looks every half second whether the parent is still the same.
 */
function watchParent(): void {
  // Asked here: on a busy machine the parent may be gone before the thread runs, and whoever inherits us would be taken for it.
  const watch = `
    const parent = ${process.ppid};
    setInterval(() => {
      let alive = process.ppid === parent;
      try { process.kill(parent, 0); } catch (error) { alive = alive && error.code === 'EPERM'; }
      if (!alive) process.kill(process.pid, 'SIGKILL');
    }, 500);`;
  new Worker(watch, { eval: true, env: {}, stdout: false, stderr: false }).unref();
}
