/** When a process that died comes back by itself, and when a person has to ask for it; pure. */

/** Two deaths within this time have one cause that a new process would meet again. */
const soonMs = 30_000;

export interface Losses {
  /** Counts a death at `now` (ms). True: it came so soon after the last one that starting anew by itself would go on for ever. */
  again(now: number): boolean;
  /** A person restarted it: the next death counts as the first. */
  forget(): void;
}

export function createLosses(): Losses {
  let last = -Infinity;
  return {
    again: now => {
      const soon = now - last < soonMs;
      last = now;
      return soon;
    },
    forget: () => { last = -Infinity; },
  };
}
