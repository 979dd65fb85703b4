/** Lets what a person waits for (tiles, rows) go before long work in the same process. */
import { Cancelled } from '../../contract/errors.ts';

let waiting = 0;
/** Messages are heard at least this often; asking more often costs more than it gives. */
const turnMs = 10;
let lastTurn = 0;

/** Runs something short that a person waits for; long work pauses meanwhile. */
export async function first<T>(work: () => Promise<T>): Promise<T> {
  waiting++;
  try { return await work(); } finally { waiting--; }
}

/** To be awaited between the blocks of long work: hears messages, lets short work pass, and throws Cancelled when nobody wants the answer. */
export async function pause(signal?: AbortSignal): Promise<void> {
  if (waiting > 0 || performance.now() - lastTurn > turnMs) {
    do { await new Promise(resolve => setImmediate(resolve)); } while (waiting > 0);
    lastTurn = performance.now();
  }
  if (signal?.aborted) throw new Cancelled();
}
