/** The attention sites of models on the disk, one model after the other, each once until it changes; no model is run for it. */
import type { SitesReport } from '../../contract/site.ts';
import { Cancelled, PeerGone, UserError } from '../../contract/errors.ts';
import type { FoundModel } from './discover.ts';

export interface Inspector {
  /** The report; a sentence where the model cannot be read; undefined while that is not known. */
  of(model: FoundModel): SitesReport | string | undefined;
  /** Asks for these models, the first ones first; what was asked for before is forgotten. */
  want(models: readonly FoundModel[]): void;
  onDidChange(listener: () => void): { dispose(): void };
}

/** More are listed without their sites. */
const mostModels = 200;

/** `sites` reads a graph and no weights. Errors that are not about the model leave it unknown, to be asked for again. */
export function createInspector(sites: (model: string) => Promise<SitesReport>, warn: (line: string) => void): Inspector {
  const known = new Map<string, SitesReport | string>(), listeners = new Set<() => void>();
  let queue: FoundModel[] = [], busy = false;
  const work = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const key = keyOf(next);
        if (known.has(key)) continue;
        try { known.set(key, await sites(next.path)); } catch (error) {
          if (error instanceof UserError) known.set(key, error.sentence);
          else if (error instanceof PeerGone || error instanceof Cancelled) continue;
          else { warn(`${next.path}: ${error instanceof Error ? error.message : String(error)}`); known.set(key, 'It could not be read; the log says why.'); }
        }
        for (const listener of listeners) listener();
      }
    } finally { busy = false; }
  };
  return {
    of: model => known.get(keyOf(model)),
    want: models => {
      queue = models.filter(model => !known.has(keyOf(model))).slice(0, mostModels);
      void work();
    },
    onDidChange: listener => { listeners.add(listener); return { dispose: () => listeners.delete(listener) }; },
  };
}

function keyOf({ path, bytes, modifiedMs }: FoundModel): string { return `${path}\n${bytes}\n${modifiedMs}`; }
