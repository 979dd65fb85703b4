/** One typed call protocol for every boundary (host ↔ children, host ↔ webview): replies, failures, progress, cancel, close. */
import { Cancelled, PeerGone, fromWire, toWire, type WireError } from './errors.ts';

/** Anything that can carry messages. `closed` resolves with the reason when the other end is gone. */
export interface Port {
  post(message: unknown): void;
  listen(on: (message: unknown) => void): void;
  readonly closed: Promise<string>;
}

/** An API is an interface of functions from one request to one result. */
export type Api<A> = { [K in keyof A]: (request: never) => unknown };

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: unknown) => void;
}
export interface CallContext {
  readonly signal: AbortSignal;
  progress(value: unknown): void;
}
export type Client<A extends Api<A>> = {
  readonly [K in keyof A]: (request: Parameters<A[K]>[0], options?: CallOptions) => Promise<Awaited<ReturnType<A[K]>>>;
};
export type Server<A extends Api<A>> = {
  readonly [K in keyof A]: (request: Parameters<A[K]>[0], context: CallContext) => ReturnType<A[K]> | Promise<Awaited<ReturnType<A[K]>>>;
};

type Message =
  | { readonly call: number; readonly method: string; readonly request: unknown }
  | { readonly ok: number; readonly value: unknown }
  | { readonly err: number; readonly error: WireError }
  | { readonly progress: number; readonly value: unknown }
  | { readonly cancel: number };

/** Answers calls that arrive at `port`. Unknown methods are refused by name. */
export function serve<A extends Api<A>>(port: Port, server: Server<A>): void {
  const running = new Map<number, AbortController>();
  port.listen(raw => {
    const message = raw as Message;
    if ('cancel' in message) running.get(message.cancel)?.abort();
    if (!('call' in message)) return;
    const { call: id, method, request } = message;
    const controller = new AbortController();
    running.set(id, controller);
    const context: CallContext = {
      signal: controller.signal,
      progress: value => { if (running.has(id)) port.post({ progress: id, value }); },
    };
    const handler = Object.hasOwn(server, method) ? (server as Record<string, (r: unknown, c: CallContext) => unknown>)[method] : undefined;
    void (async () => {
      try {
        if (!handler) throw new Error(`There is no call named "${method}".`);
        const value = await handler(request, context);
        port.post({ ok: id, value });
      } catch (error) {
        port.post({ err: id, error: toWire(error) });
      } finally { running.delete(id); }
    })();
  });
  void port.closed.then(() => { for (const controller of running.values()) controller.abort(); });
}

/** Makes calls through `port`. When the other end closes, every pending call rejects with `PeerGone` and the reason. */
export function connect<A extends Api<A>>(port: Port): Client<A> {
  interface Pending { resolve(value: unknown): void; reject(error: Error): void; onProgress?: (value: unknown) => void }
  const pending = new Map<number, Pending>();
  let next = 1;
  let gone: string | undefined;
  port.listen(raw => {
    const message = raw as Message;
    if ('progress' in message) { pending.get(message.progress)?.onProgress?.(message.value); return; }
    const id = 'ok' in message ? message.ok : 'err' in message ? message.err : 0;
    const waiting = pending.get(id);
    if (!waiting) return;
    pending.delete(id);
    if ('ok' in message) waiting.resolve(message.value);
    else if ('err' in message) waiting.reject(fromWire(message.error));
  });
  void port.closed.then(reason => {
    gone = reason;
    for (const waiting of pending.values()) waiting.reject(new PeerGone(reason));
    pending.clear();
  });
  const call = (method: string, request: unknown, options: CallOptions = {}): Promise<unknown> => new Promise((resolve, reject) => {
    if (gone !== undefined) return reject(new PeerGone(gone));
    if (options.signal?.aborted) return reject(new Cancelled());
    const id = next++;
    const onAbort = (): void => {
      port.post({ cancel: id });
      if (pending.delete(id)) reject(new Cancelled());
    };
    const settle = <T>(then: (value: T) => void) => (value: T): void => { options.signal?.removeEventListener('abort', onAbort); then(value); };
    pending.set(id, { resolve: settle(resolve), reject: settle(reject), onProgress: options.onProgress });
    options.signal?.addEventListener('abort', onAbort, { once: true });
    // A request that cannot be copied fails alone.
    try { port.post({ call: id, method, request }); } catch (error) { pending.delete(id); settle(reject)(error as Error); }
  });
  return new Proxy({} as Client<A>, {
    // `then` must stay absent, or awaiting a client would call it.
    get: (_, method) => typeof method === 'string' && method !== 'then' ? (request: unknown, options?: CallOptions) => call(method, request, options) : undefined,
  });
}
