/** Links to a view: what they carry comes back, and what strangers write is refused. */
import { expect, it } from 'vitest';
import { isLocalTrace, readPayload, readViewLink, viewLink } from '../../../extension/host/view-link.ts';

const view = { tab: 'attention', site: 'blocks.4.attn', head: 7, batch: 0, scale: 'log', map: { words: true, pins: [{ site: 'blocks.1.attn', head: 3 }], focus: { query: 12, key: 0 }, top: 0.973 }, view: { row: 1.5, col: 0, cell: 12.25 } };

it.each(['/home/anna/traces/a b & c=1#?.attntrace', '/tmp/\u00fcber/\u6a21\u578b.attntrace', 'C:\\traces\\model.attntrace'])('carries %s and the whole view, through a URI parser too', trace => {
  const link = viewLink('vscode', 'attnscope.attnscope', { trace, view }, 'vision.L4H7');
  expect(link).toMatch(/^vscode:\/\/attnscope\.attnscope\/view\/vision\.L4H7\?[\w-]+$/);
  expect(readViewLink(`  ${link}\n`)).toEqual({ trace, view });
  const { search, protocol, host } = new URL(link);
  expect([protocol, host]).toEqual(['vscode:', 'attnscope.attnscope']);
  expect(readPayload(search.slice(1))).toEqual({ trace, view });
});
it('a label cannot break the link', () => expect(readViewLink(viewLink('code-oss', 'a.b', { trace: '/x.attntrace', view: 1 }, 'L0H0?#/ x'))).toEqual({ trace: '/x.attntrace', view: 1 }));
it.each(['', 'hello', 'vscode://attnscope.attnscope/view/', 'https://attnscope.attnscope/other/L0?abc', 'javascript:alert(1)', `vscode://a.b/view/x?${'A'.repeat(20_000)}`])('%s is none', link => expect(readViewLink(link)).toEqual({ problem: 'This is no link to a view of AttnScope.' }));
it.each(['', '!!', Buffer.from('{').toString('base64url'), Buffer.from('null').toString('base64url'), Buffer.from('[1]').toString('base64url')])('payload %s is damaged or names nothing', payload => expect(readPayload(payload)).toHaveProperty('problem'));
it('names only trace files of this machine', () => {
  expect(['/a/b.attntrace', 'c:\\a.attntrace', 'D:/a.attntrace'].every(isLocalTrace)).toBe(true);
  expect(['//host/share/a.attntrace', '\\\\host\\share\\a.attntrace', 'a.attntrace', '../a.attntrace', '/etc/passwd', '/a\0.attntrace', 'file:///a.attntrace', 'c:\\\\host\\a.attntrace'].some(isLocalTrace)).toBe(false);
  expect(readPayload(Buffer.from(JSON.stringify({ trace: '\\\\host\\x.attntrace', view: {} })).toString('base64url'))).toEqual({ problem: 'This link names no trace file of this machine.' });
});
