/** The call protocol: replies, failures by kind, progress, cancel, and what happens when the other end goes. */
import { describe, expect, it } from 'vitest';
import { Cancelled, PeerGone, UserError } from '../../../extension/contract/errors.ts';
import { connect, serve, type CallContext, type Client, type Port } from '../../../extension/contract/rpc.ts';

interface Sums { add(request: { readonly a: number; readonly b: number }): number; slow(request: { readonly ms: number }): string; fail(request: { readonly kind: 'user' | 'bug' | 'cancelled' }): void; big(request: Record<string, never>): Float32Array }

/** Two ends in memory; messages are copied, as between processes. */
function pair(): { readonly here: Port; readonly there: Port; close(reason: string): void; readonly sent: unknown[] } {
  const listeners = { here: [] as ((message: unknown) => void)[], there: [] as ((message: unknown) => void)[] }, sent: unknown[] = [];
  let close: (reason: string) => void = () => undefined;
  const closed = new Promise<string>(resolve => { close = resolve; });
  const end = (to: 'here' | 'there', from: 'here' | 'there'): Port => ({
    post: message => { sent.push(message); const copy = structuredClone(message); setImmediate(() => { for (const on of listeners[to]) on(copy); }); },
    listen: on => { listeners[from].push(on); }, closed,
  });
  return { here: end('there', 'here'), there: end('here', 'there'), close, sent };
}

function start(): { readonly client: Client<Sums>; readonly close: (reason: string) => void; readonly aborted: string[]; readonly sent: unknown[] } {
  const { here, there, close, sent } = pair(), aborted: string[] = [];
  serve<Sums>(there, {
    add: ({ a, b }) => a + b,
    slow: ({ ms }, { signal, progress }: CallContext) => new Promise((resolve, reject) => {
      progress('half');
      const timer = setTimeout(() => resolve('done'), ms);
      signal.addEventListener('abort', () => { clearTimeout(timer); aborted.push('slow'); reject(new Cancelled()); });
    }),
    fail: ({ kind }) => { throw kind === 'user' ? new UserError('The file is empty.', 'Choose another.') : kind === 'bug' ? new TypeError('x is undefined') : new Cancelled(); },
    big: () => Float32Array.from({ length: 1000 }, (_, i) => i),
  });
  return { client: connect<Sums>(here), close, aborted, sent };
}

describe('calls', () => {
  it('answers, also out of order', async () => {
    const { client } = start();
    const slow = client.slow({ ms: 30 });
    expect(await client.add({ a: 2, b: 3 })).toBe(5);
    expect(await slow).toBe('done');
  });
  it('carries typed arrays as they are', async () => expect(await start().client.big({})).toEqual(Float32Array.from({ length: 1000 }, (_, i) => i)));
  it('keeps what a user can act on, and marks the rest as a bug with its stack', async () => {
    const { client } = start();
    const user = await client.fail({ kind: 'user' }).then(() => undefined, (error: unknown) => error);
    expect(user).toBeInstanceOf(UserError);
    expect((user as UserError).sentence).toBe('The file is empty. Choose another.');
    const bug = await client.fail({ kind: 'bug' }).then(() => undefined, (error: unknown) => error as Error);
    expect(bug).not.toBeInstanceOf(UserError);
    expect(bug?.message).toBe('x is undefined');
    expect(bug?.stack).toContain('rpc.test.ts');
    await expect(client.fail({ kind: 'cancelled' })).rejects.toBeInstanceOf(Cancelled);
  });
  it('refuses a call that is not there by name, also one that every object has', async () => {
    const { client } = start() as unknown as { client: Record<string, (request: unknown) => Promise<unknown>> };
    await expect(client['nothing']({})).rejects.toThrow('There is no call named "nothing".');
    await expect(client['toString']({})).rejects.toThrow('There is no call named "toString".');
  });
  it('reports progress before the answer', async () => {
    const seen: unknown[] = [];
    await start().client.slow({ ms: 5 }, { onProgress: value => seen.push(value) });
    expect(seen).toEqual(['half']);
  });
  it('is no promise itself, so that it can be awaited', async () => {
    const { client } = start();
    expect(await client).toBe(client);
  });
  it('fails the one call whose request cannot be sent', async () => {
    const { client } = start();
    await expect(client.add({ a: (() => 1) as unknown as number, b: 1 })).rejects.toThrow();
    expect(await client.add({ a: 1, b: 1 })).toBe(2);
  });
});

describe('cancelling', () => {
  it('rejects at once and tells the other end', async () => {
    const { client, aborted } = start(), controller = new AbortController();
    const call = client.slow({ ms: 10_000 }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expect(call).rejects.toBeInstanceOf(Cancelled);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(aborted).toEqual(['slow']);
  });
  it('sends nothing when it is cancelled before', async () => {
    const { client, sent } = start();
    await expect(client.add({ a: 1, b: 1 }, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(Cancelled);
    expect(sent).toEqual([]);
  });
});

describe('the other end is gone', () => {
  it('fails everything that is pending, and everything after, with the reason', async () => {
    const { client, close } = start();
    const calls = [client.slow({ ms: 10_000 }), client.slow({ ms: 10_000 })];
    close('The runner stopped: it was killed (SIGKILL).');
    for (const call of calls) await expect(call).rejects.toEqual(new PeerGone('The runner stopped: it was killed (SIGKILL).'));
    await expect(client.add({ a: 1, b: 1 })).rejects.toBeInstanceOf(PeerGone);
  });
  it('stops what it was doing for the caller', async () => {
    const { client, close, aborted } = start();
    const call = client.slow({ ms: 10_000 });
    await new Promise(resolve => setTimeout(resolve, 10));
    close('gone');
    await expect(call).rejects.toBeInstanceOf(PeerGone);
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(aborted).toEqual(['slow']);
  });
});
