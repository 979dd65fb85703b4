/** What a running trace says about itself, in the words a person reads; pure. */
import type { Progress } from '../contract/api.ts';

const words: Readonly<Record<Progress['phase'], string>> = {
  open: 'Opening model', session: 'Creating session', run: 'Running', generate: 'Generating', statistics: 'Statistics', write: 'Writing',
};

/** `Statistics 3 of 8 · 1.2 s` */
export function progressText(progress: Progress | undefined, elapsedMs: number): string {
  const phase = progress ? words[progress.phase] : 'Starting the engine';
  const count = progress?.total !== undefined && progress.done !== undefined ? ` ${progress.done} of ${progress.total}` : '';
  return `${phase}${count} · ${seconds(elapsedMs)}`;
}

/** `0.4 s`, `2 min 5 s` */
export function seconds(elapsedMs: number): string {
  const s = Math.max(0, elapsedMs) / 1000;
  return s < 100 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
}
