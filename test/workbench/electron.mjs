/** `npm run test:electron`: the same API suite in a desktop VS Code, where @vscode/test-electron can download one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from '../bed/packages.mjs';
import { copyDemo } from '../bed/demo.mjs';
import { cache, say } from '../bed/run.mjs';
import { packVsix } from '../bed/vsix.mjs';

const target = `${process.platform}-${process.arch}`;
await ensurePackages();
const { downloadAndUnzipVSCode, runTests } = await import('@vscode/test-electron');
const { bundleSuite, suiteModule } = await import('./suite-extension.mjs');

const executable = await download();
if (executable) {
  await packVsix({ target });
  await bundleSuite();
  const place = mkdtempSync(join(tmpdir(), 'attnscope-electron-'));
  try {
    // The folder that the VSIX was packed from, so that what runs is what users get.
    process.exitCode = await runTests({
      vscodeExecutablePath: executable, extensionDevelopmentPath: join(cache, 'package', target), extensionTestsPath: suiteModule,
      launchArgs: [copyDemo(join(place, 'demo')), '--disable-workspace-trust', '--user-data-dir', join(place, 'data'), ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
    });
  } finally {
    rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function download() {
  try {
    return await downloadAndUnzipVSCode({ version: '1.120.0', cachePath: join(cache, 'desktop') });
  } catch (error) {
    say(`A desktop VS Code cannot be downloaded here (${error.message}). Run this on a machine that can reach its download site; npm test runs the same suite in code-server.`);
    process.exitCode = 1;
    return undefined;
  }
}
