/** Which machines onnxruntime has a build for, and the sentence for those it has none for. */
import { UserError } from './errors.ts';

/** VS Code's names of the platforms that onnxruntime-node 1.30 carries a library for. */
const built: ReadonlySet<string> = new Set(['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64']);

/**
 * Why nothing can be computed on `platform`-`arch` (as Node names them); undefined where it can.
 * `what` begins the sentence: "Models cannot be run", "Maps cannot be computed".
 */
export function withoutRuntime(what: string, platform: string, arch: string): UserError | undefined {
  const target = `${platform}-${arch}`;
  if (built.has(target)) return undefined;
  return new UserError(`${what} on this machine: onnxruntime has no build for ${target === 'darwin-x64' ? 'Macs with an Intel processor (darwin-x64)' : target}.`,
    'Open the folder in a dev container or over Remote - SSH, where AttnScope runs on Linux. Traces made elsewhere open here.');
}
