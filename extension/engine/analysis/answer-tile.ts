/** What a panel is answered for the pixels that it shows of a head: probabilities, scores, or the weights that linear attention implies. */
import type { Thumbnails, Tile, TileRequest } from '../../contract/api.ts';
import { hasImplied, impliedThumbnails, impliedTile } from './implied.ts';
import type { OpenTraces } from './open-traces.ts';
import type { Devices } from '../compute/gpu/devices.ts';
import { checkHead, computeTile, thumbnailsOf } from './tile.ts';

/** `between` is awaited between blocks; `devices`: where large pictures may be made. Errors: those of `computeTile` and `impliedTile`. */
export async function answerTile(traces: OpenTraces, request: TileRequest, between: () => Promise<void>, devices?: Devices): Promise<Tile> {
  const view = traces.view(request.trace, request.site), { of } = request;
  if (of === 'implied') return impliedTile({ ...request, view, between });
  checkHead(view, request.batch, request.head);
  return computeTile({ ...request, of, view, prepared: { ...traces.prepared(request), of }, between, devices });
}

export async function answerThumbnails(traces: OpenTraces, { trace, site }: { readonly trace: string; readonly site: string }, between: () => Promise<void>): Promise<Thumbnails> {
  const view = traces.view(trace, site);
  return hasImplied(view) ? impliedThumbnails(view, between) : thumbnailsOf(view);
}
