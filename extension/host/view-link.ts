/** Links that reopen a view: trace and arrangement of its panel in one URI; pure. */

/** `vscode://attnscope.attnscope/view/L3H1?<payload>`: the head is for those who read it, the payload is what counts. */
export interface ViewLink { readonly trace: string; readonly view: unknown }

/** A link is never longer: an arrangement is a few hundred characters. */
const mostCharacters = 16_384;
export const linkPath = '/view';

/** `scheme`: the editor's own (`vscode`, `vscode-insiders`, …); `extension`: publisher and name. */
export function viewLink(scheme: string, extension: string, { trace, view }: ViewLink, label = 'overview'): string {
  return `${scheme}://${extension}${linkPath}/${encodeURIComponent(label)}?${Buffer.from(JSON.stringify({ trace, view }), 'utf8').toString('base64url')}`;
}

/** What a link asks for; a sentence where it is none of ours. Links come from strangers: only a local trace file may be named, and the panel checks the rest. */
export function readViewLink(text: string): ViewLink | { readonly problem: string } {
  const link = text.trim(), none = { problem: 'This is no link to a view of AttnScope.' };
  if (link.length > mostCharacters) return none;
  const found = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9-]+\.[a-z0-9-]+\/view\/[^?#]*\?([A-Za-z0-9_-]+)$/i.exec(link);
  return found ? readPayload(found[1]) : none;
}

/** The part behind the question mark. */
export function readPayload(payload: string): ViewLink | { readonly problem: string } {
  const damaged = { problem: 'This link to a view is damaged.' };
  if (payload.length > mostCharacters) return damaged;
  let asked: unknown;
  try { asked = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')); } catch { return damaged; }
  if (typeof asked !== 'object' || asked === null) return damaged;
  const { trace, view } = asked as Partial<ViewLink>;
  if (typeof trace !== 'string' || !isLocalTrace(trace)) return { problem: 'This link names no trace file of this machine.' };
  return { trace, view };
}

/** An absolute path of an .attntrace file. Network shares are refused: a click on a link must not talk to another machine. */
export function isLocalTrace(path: string): boolean {
  return path.endsWith('.attntrace') && !path.includes('\0') && (/^\/(?!\/)/.test(path) || /^[a-z]:[\\/](?![\\/])/i.test(path));
}
