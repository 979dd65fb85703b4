/** Brings Python and traces together: for a document, the newest trace whose sites lie in it, with its links. */
import { basename } from 'node:path';
import type * as vscode from 'vscode';
import type { Site } from '../contract/site.ts';
import type { ModuleIndex } from '../source/module-index.ts';
import { linkSites, type SiteLink } from '../source/link.ts';
import type { SourceDocument } from '../source/python-module.ts';
import type { LiveTrace, LiveTraces } from './live-traces.ts';
import type { PythonSources } from './python-sources.ts';

export interface Linked { readonly document: SourceDocument; readonly index: ModuleIndex; readonly links: readonly SiteLink[]; readonly live: LiveTrace | undefined }

export interface SourceLinks {
  /** Undefined where the document cannot be parsed. */
  of(document: vscode.TextDocument): Promise<Linked | undefined>;
  /** Links of the sites of any trace. */
  linksOf(sites: readonly Site[], modelFile: string): Promise<readonly SiteLink[]>;
}

export function createSourceLinks(sources: PythonSources, traces: LiveTraces): SourceLinks {
  // Lenses and hovers ask again and again: as long as neither the Python nor the trace changed, the answer is the same.
  const known = new WeakMap<ModuleIndex, WeakMap<readonly Site[], readonly SiteLink[]>>();
  const links = async (sites: readonly Site[], modelFile: string): Promise<readonly SiteLink[]> => {
    const { documents, index } = await sources.all();
    let ofIndex = known.get(index);
    if (!ofIndex) known.set(index, ofIndex = new WeakMap());
    let found = ofIndex.get(sites);
    if (!found) ofIndex.set(sites, found = linkSites({ sites, modelFile }, documents, index));
    return found;
  };
  const touches = (link: SiteLink, path: string): boolean => link.path === path || link.forward?.path === path || link.steps.some(step => [...step.assigns, ...step.calls].some(place => place.path === path));
  return {
    linksOf: links,
    of: async open => {
      const { documents, index } = await sources.all(), document = documents.find(one => one.path === open.uri.fsPath);
      if (!document) return undefined;
      for (const live of await traces.all()) {
        const { manifest } = live.open, found = await links(manifest.sites, basename(manifest.model.path));
        if (found.some(link => touches(link, document.path))) return { document, index, links: found, live };
      }
      return { document, index, links: [], live: undefined };
    },
  };
}
