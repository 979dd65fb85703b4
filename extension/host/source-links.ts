/** Brings Python and traces together: for a document, the newest trace of every model whose sites lie in it, with its links. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { OpenTrace } from '../contract/api.ts';
import type { Site } from '../contract/site.ts';
import type { ModuleIndex } from '../source/module-index.ts';
import { linkSites, type SiteLink } from '../source/link.ts';
import { readOrigin, type ModelOrigin } from '../source/origin.ts';
import type { SourceDocument } from '../source/python-module.ts';
import type { LiveTrace, LiveTraces } from './live-traces.ts';
import { pythonCells, sourcePath, type PythonSources, type Sources } from './python-sources.ts';
import type { SourceRef } from './session.ts';

const mostConfigBytes = 1_000_000;

/** One model's newest trace, with the links of its sites. */
export interface LinkedTrace { readonly links: readonly SiteLink[]; readonly live: LiveTrace }

export interface Linked {
  readonly document: SourceDocument;
  readonly index: ModuleIndex;
  /** Newest first; those that have to do with this document. */
  readonly traces: readonly LinkedTrace[];
  /** Lines of `document` that the editor shows: all of a file, or those of one cell; line `from` is the editor's first. */
  readonly from: number;
  readonly until: number;
}

export interface SourceLinks {
  /** Undefined where the document cannot be parsed. */
  of(document: vscode.TextDocument): Promise<Linked | undefined>;
  /** Links of the sites of any trace. */
  linksOf(open: OpenTrace): Promise<readonly SiteLink[]>;
  /** Shows the line of a site's source beside; nothing where none is known. */
  reveal(open: OpenTrace, site: string): Promise<void>;
}

export function createSourceLinks(sources: PythonSources, traces: LiveTraces): SourceLinks {
  // Lenses and hovers ask again and again: as long as neither the Python nor the trace changed, the answer is the same.
  const known = new WeakMap<ModuleIndex, WeakMap<readonly Site[], { readonly origin: string; readonly links: readonly SiteLink[] }>>();
  const configs = new Map<string, { readonly modified: number; readonly origin: ModelOrigin }>();

  const configOf = async (model: string): Promise<ModelOrigin> => {
    for (const folder of [dirname(model), dirname(dirname(model))]) {
      const path = join(folder, 'config.json'), now = await stat(path).catch(() => undefined);
      if (!now?.isFile() || now.size > mostConfigBytes) continue;
      let config = configs.get(path);
      if (config?.modified !== now.mtimeMs) {
        let origin: ModelOrigin = {};
        try { origin = readOrigin(JSON.parse(await readFile(path, 'utf8'))); } catch { /* A file that is no JSON says nothing; running the model will. */ }
        configs.set(path, config = { modified: now.mtimeMs, origin });
      }
      return config.origin;
    }
    return {};
  };
  const originOf = async (model: string, source: SourceRef | undefined): Promise<ModelOrigin> => {
    const config = await configOf(model), files = config.modelTypes?.length || config.architectures?.length ? await sources.filesOf(config) : [];
    return { ...config, files, ...(source && { startedFrom: { path: vscode.Uri.parse(source.uri).fsPath, className: source.className } }) };
  };
  const wantedBy = (sites: readonly Site[], origin: ModelOrigin): string[] => [...new Set([...(origin.files ?? []), ...(origin.startedFrom ? [origin.startedFrom.path] : []), ...sites.map(site => site.source.file).filter(file => file !== null)])].slice(0, 64);
  const links = (of: Sources, sites: readonly Site[], model: string, origin: ModelOrigin): readonly SiteLink[] => {
    let ofIndex = known.get(of.index);
    if (!ofIndex) known.set(of.index, ofIndex = new WeakMap());
    const text = JSON.stringify(origin), before = ofIndex.get(sites);
    if (before?.origin === text) return before.links;
    const found = linkSites({ sites, modelFile: basename(model), origin }, of.documents, of.index);
    ofIndex.set(sites, { origin: text, links: found });
    return found;
  };
  const linksOf = async (open: OpenTrace): Promise<readonly SiteLink[]> => {
    const { manifest } = open, source = (await traces.all()).find(live => live.open.trace === open.trace)?.latest.source;
    const origin = await originOf(manifest.model.path, source);
    return links(await sources.all(wantedBy(manifest.sites, origin)), manifest.sites, manifest.model.path, origin);
  };

  return {
    linksOf,
    of: async shown => {
      const path = sourcePath(shown), models = await Promise.all((await traces.all()).map(async live => ({ live, origin: await originOf(live.open.manifest.model.path, live.latest.source) })));
      const all = await sources.all(models.flatMap(({ live, origin }) => wantedBy(live.open.manifest.sites, origin))), document = all.documents.find(one => one.path === path);
      if (!document) return undefined;
      const linked = models.map(({ live, origin }) => ({ live, links: links(all, live.open.manifest.sites, live.open.manifest.model.path, origin) }));
      const from = document.cells === undefined ? 0 : firstLine(shown, document.cells);
      if (from === undefined) return undefined;
      return { document, index: all.index, traces: linked.filter(trace => trace.links.some(link => touches(link, path))), from, until: from + shown.lineCount };
    },
    reveal: async (open, site) => {
      const link = (await linksOf(open)).find(one => one.site === site);
      if (link?.path === undefined) return;
      const uri = vscode.Uri.file(link.path), line = link.line ?? link.classRange?.start.line ?? 0, notebook = vscode.workspace.notebookDocuments.find(one => one.uri.fsPath === link.path);
      if (!notebook) { await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.Beside, selection: new vscode.Range(line, 0, line, 0), preserveFocus: false }); return; }
      const starts = (await sources.all()).documents.find(one => one.path === link.path)?.cells ?? [], nth = starts.findLastIndex(start => start <= line), cell = pythonCells(notebook).at(nth);
      const at = notebook.getCells().findIndex(one => one.document === cell);
      await vscode.window.showNotebookDocument(notebook, { viewColumn: vscode.ViewColumn.Beside, ...(at >= 0 && { selections: [new vscode.NotebookRange(at, at + 1)] }) });
    },
  };
}

function touches(link: SiteLink, path: string): boolean {
  return link.path === path || link.forward?.path === path || link.steps.some(step => [...step.assigns, ...step.calls].some(place => place.path === path));
}

/** Line of the notebook's joined text at which a cell starts; undefined when the cell came after the text was read. */
function firstLine(cell: vscode.TextDocument, starts: readonly number[]): number | undefined {
  const notebook = vscode.workspace.notebookDocuments.find(one => one.uri.fsPath === cell.uri.fsPath), nth = notebook ? pythonCells(notebook).findIndex(one => one.uri.toString() === cell.uri.toString()) : -1;
  return nth < 0 ? undefined : starts[nth];
}
