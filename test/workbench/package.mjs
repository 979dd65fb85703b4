/** What the packed VSIX carries and what it must not, and that it runs where there are no build tools and no other packages. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageFiles } from '../bed/package-files.mjs';
import { vsixLimitBytes } from '../bed/vsix.mjs';
import { judgePackage } from './package-lists.mjs';

const target = 'linux-x64';

/** The cases, for a VSIX file and the folder that VS Code unpacked it to (outside of the checkout, so that nothing of the checkout can stand in). */
export function packageCases(vsix, installed) {
  const entries = zipEntries(readFileSync(vsix));
  const own = entries.filter(entry => entry.name.startsWith('extension/')).map(entry => ({ ...entry, name: entry.name.slice('extension/'.length) }));
  return [
    ['carries what it needs and nothing that is not on the list: no sources, no tests, no other platform', () => {
      const { strange, missing } = judgePackage(target, own.map(entry => entry.name));
      if (strange.length > 0) throw new Error(`not on the list: ${strange.join(', ')}`);
      if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
    }],
    ['carries exactly the files that are listed without packing (which is how the other platforms are tested)', async () => {
      // vsce renames these three when it packs.
      const renamed = name => name.replace(/^(README|CHANGELOG)\.md$/, found => found.toLowerCase()).replace(/^LICENSE$/, 'LICENSE.txt');
      const listed = (await packageFiles(target)).map(renamed).toSorted(), packed = own.map(entry => renamed(entry.name)).toSorted();
      const apart = [...listed.filter(name => !packed.includes(name)), ...packed.filter(name => !listed.includes(name))];
      if (apart.length > 0) throw new Error(`in one and not in the other: ${apart.join(', ')}`);
    }],
    ['has at most 110 MiB', () => {
      const bytes = statSync(vsix).size;
      if (bytes > vsixLimitBytes) throw new Error(`${bytes} bytes`);
    }],
    ['brings a Node that is executable once installed', () => {
      if ((statSync(join(installed, 'dist/node/bin/node')).mode & 0o111) === 0) throw new Error('dist/node/bin/node is not executable');
    }],
    ['asks for no package at run time', () => {
      const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
      if (manifest.dependencies || manifest.scripts) throw new Error('package.json still has dependencies or scripts');
    }],
    ['traces with an empty PATH: no build tools, no Node, no Python of the machine', () => traceAlone(installed)],
  ];
}

/** Runs the packed command line on the packed Node, with nothing of the machine on its PATH. */
async function traceAlone(installed) {
  const folder = join(installed, '../../alone');
  mkdirSync(folder, { recursive: true });
  const env = { PATH: folder, HOME: folder };
  const node = join(installed, 'dist/node/bin/node');
  const out = join(folder, 'alone.attntrace');
  await promisify(execFile)(node, [join(installed, 'dist/attnscope.js'), 'trace', join(installed, 'media/demo/storyteller'), '--prompt', 'Anna gave the lantern to Boris.', '--out', out], { cwd: folder, env, timeout: 120_000 });
  if (statSync(out).size < 10_000) throw new Error('the trace is empty');
  rmSync(folder, { recursive: true, force: true });
}

/** Names and sizes out of a zip's central directory. */
export function zipEntries(bytes) {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  const entries = [];
  for (let i = 0, at = bytes.readUInt32LE(end + 16); i < bytes.readUInt16LE(end + 10); i++) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map(offset => bytes.readUInt16LE(at + offset));
    entries.push({ name: bytes.toString('utf8', at + 46, at + 46 + nameLength), bytes: bytes.readUInt32LE(at + 24) });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}
