/** The three kinds of failure, and how they cross a process boundary: anything else thrown is a bug. */

/** A failure that the user can act on: a sentence that names the thing and what is wrong, and what to do about it. */
export class UserError extends Error {
  readonly remedy: string;
  constructor(message: string, remedy = '') {
    super(message);
    this.name = 'UserError';
    this.remedy = remedy;
  }
  /** The whole sentence as shown in a notification or on stderr. */
  get sentence(): string { return this.remedy ? `${this.message} ${this.remedy}` : this.message; }
}

/** The caller no longer wants the answer; never shown. */
export class Cancelled extends Error {
  constructor() { super('Cancelled.'); this.name = 'Cancelled'; }
}

/** The other process is gone; `message` says why. Shown with a Restart button. */
export class PeerGone extends Error {
  constructor(reason: string) { super(reason); this.name = 'PeerGone'; }
}

/** A failure as data. */
export interface WireError {
  readonly kind: 'user' | 'cancelled' | 'gone' | 'bug';
  readonly message: string;
  readonly remedy?: string;
  readonly stack?: string;
}

export function toWire(error: unknown): WireError {
  if (error instanceof UserError) return { kind: 'user', message: error.message, remedy: error.remedy };
  if (error instanceof Cancelled) return { kind: 'cancelled', message: error.message };
  if (error instanceof PeerGone) return { kind: 'gone', message: error.message };
  if (error instanceof Error) return { kind: 'bug', message: error.message, stack: error.stack };
  return { kind: 'bug', message: String(error) };
}

export function fromWire(error: WireError): Error {
  switch (error.kind) {
    case 'user': return new UserError(error.message, error.remedy);
    case 'cancelled': return new Cancelled();
    case 'gone': return new PeerGone(error.message);
    case 'bug': {
      const bug = new Error(error.message);
      if (error.stack) bug.stack = error.stack;
      return bug;
    }
  }
}
