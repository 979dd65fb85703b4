/** What the package of every platform would carry, by vsce's own listing: all that is needed, nothing else, one platform's binaries. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { packageFiles, targets } from '../../bed/package-files.mjs';
import { expectedTargets, judgePackage } from '../../workbench/package-lists.mjs';

const root = resolve(import.meta.dirname, '../../..');
// `npm test` has built it; by itself this file does.
beforeAll(() => { if (!existsSync(join(root, 'dist/host.js'))) execFileSync(process.execPath, ['build.mjs'], { cwd: root }); });

it('there is a package for the five platforms that we name', () => expect([...targets].sort()).toEqual([...expectedTargets].sort()));
it.each(expectedTargets)('%s', async target => expect(judgePackage(target, await packageFiles(target))).toEqual({ strange: [], missing: [] }));
it('another platform is refused by name', async () => { await expect(packageFiles('solaris-x64')).rejects.toThrow(/^There is no package for solaris-x64\. Targets: .*darwin-x64/); });
it('what stands in the way is found: a file too many, one too few', () => {
  const { strange, missing } = judgePackage('darwin-x64', ['package.json', 'extension/host/main.ts', 'dist/node_modules/onnxruntime-node/dist/index.js', 'dist/node_modules/webgpu/dist/linux-x64/dawn.node']);
  expect(strange).toEqual(['extension/host/main.ts', 'dist/node_modules/onnxruntime-node/dist/index.js', 'dist/node_modules/webgpu/dist/linux-x64/dawn.node']);
  expect(missing).toContain('dist/node_modules/webgpu/dist/darwin-universal/dawn.node');
});
