/** Hovers on attention classes, their assignments and their calls: thumbnails and numbers of the latest trace, with links that open a head. */
import * as vscode from 'vscode';
import type { AnalysisApi } from '../contract/api.ts';
import type { Client } from '../contract/rpc.ts';
import { hoverMarkdown } from '../source/hover-markdown.ts';
import { hoverAt } from '../source/hovers.ts';
import { rangeOf } from './lens-provider.ts';
import type { CommandId } from './manifest/commands.ts';
import type { SourceLinks } from './source-links.ts';
import { thumbnailUri } from './thumbnail-uri.ts';

/** Sites whose pictures are fetched for one hover; further ones are numbers. */
const mostSites = 32;

export function createHoverProvider(links: SourceLinks, analysis: () => Promise<Client<AnalysisApi>>): vscode.HoverProvider {
  return {
    provideHover: async (document, position) => {
      const linked = await links.of(document);
      if (!linked) return undefined;
      const at = { line: position.line + linked.from, column: position.character };
      // Models that share the line: the newest trace speaks.
      const found = linked.traces.map(({ links: own, live }) => ({ live, hover: hoverAt(linked.document, own, at) })).find(each => each.hover !== undefined);
      if (!found?.hover) return undefined;
      const { hover, live: { open, latest, stale } } = found, { manifest } = open;
      const pictures = new Map<string, string>();
      await Promise.all(hover.sites.slice(0, mostSites).map(async name => {
        const site = manifest.sites.find(one => one.name === name), parity = manifest.parity[name];
        if (!site || parity?.ok === false) return;
        try {
          const { data, heads, size } = await (await analysis()).thumbnails({ trace: open.trace, site: name }), extent = open.extents[name], tokens = extent ? Math.max(extent.queries, extent.keys) : size;
          for (let head = 0; head < heads; head++) pictures.set(`${name} ${head}`, thumbnailUri(data.subarray(head * size * size, (head + 1) * size * size), Math.max(1, Math.min(size, tokens)), site.mask.causal));
        } catch { /* The numbers are there without pictures; the engine says elsewhere what is wrong with it. */ }
      }));
      const markdown = new vscode.MarkdownString(hoverMarkdown(hover, { heads: manifest.heads, parity: manifest.parity, sites: manifest.sites, trace: latest.file, ...(stale ? { stale: stale.replace(/\.$/, '') } : {}) }, (site, head) => pictures.get(`${site} ${head}`)));
      markdown.isTrusted = { enabledCommands: ['attnscope.openHead' satisfies CommandId] };
      return new vscode.Hover(markdown, rangeOf(hover.range, linked.from));
    },
  };
}
