/** What the engine answers the Grounding tab: the picture once, and looks as they are asked for; the last one stays until there is a new one. */
import { useEffect, useState } from 'preact/hooks';
import type { Look, LookRequest } from '../../extension/contract/api.ts';
import { Cancelled, PeerGone } from '../../extension/contract/errors.ts';
import type { Store } from './store.ts';

/** `of`: the request that `look` answers, as JSON. */
export interface Looked { readonly look?: Look; readonly of?: string; readonly problem?: string }

export function useLook(store: Store, request: LookRequest | undefined): Looked {
  const [looked, setLooked] = useState<Looked>({}), of = request && JSON.stringify(request);
  useEffect(() => {
    if (!request) { setLooked({}); return undefined; }
    const stop = new AbortController(), wait = setTimeout(() => {
      store.host.look(request, { signal: stop.signal }).then(look => { if (!stop.signal.aborted) setLooked({ look, of }); }, (error: unknown) => {
        if (error instanceof Cancelled || stop.signal.aborted) return;
        if (error instanceof PeerGone) store.fail(error);
        setLooked({ of, problem: error instanceof Error ? error.message : String(error) });
      });
    }, 15);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [of]);
  return looked;
}

export function usePicture(store: Store, trace: string, picture: string | undefined): ImageBitmap | undefined {
  const [bitmap, setBitmap] = useState<{ readonly of: string; readonly bitmap: ImageBitmap }>(), of = `${trace} ${picture}`;
  useEffect(() => {
    if (picture === undefined) return undefined;
    let gone = false;
    store.host.picture({ trace, picture }).then(async png => {
      const made = await createImageBitmap(new Blob([png as Uint8Array<ArrayBuffer>], { type: 'image/png' }));
      if (!gone) setBitmap({ of, bitmap: made });
    }).catch((error: unknown) => { if (!gone) store.fail(error); });
    return () => { gone = true; };
  }, [of]);
  return bitmap?.of === of ? bitmap.bitmap : undefined;
}
