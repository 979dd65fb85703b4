/** Finding the models of a large workspace: 10,000 files, a dozen models of gigabytes, of which no byte may be read. */
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { discover } from '../../extension/host/models/discover.ts';

const folders = 500, filesEach = 20, models = 12, modelBytes = 4 * 2 ** 30;

/** Builds the workspace below `cache` once. */
function workspace(cache: string): string {
  const root = join(cache, 'workspace'), stamp = join(root, 'stamp');
  if (existsSync(stamp)) return root;
  rmSync(root, { recursive: true, force: true });
  for (let n = 0; n < folders; n++) {
    const folder = join(root, `group${n % 25}`, `package${n}`);
    mkdirSync(folder, { recursive: true });
    for (let i = 0; i < filesEach; i++) writeFileSync(join(folder, i === 0 ? 'config.json' : `module${i}.py`), i === 0 ? '{"name":"app"}' : 'x = 1\n');
  }
  for (let n = 0; n < models; n++) {
    const folder = join(root, `group${n}`, `model${n}`);
    mkdirSync(join(folder, 'onnx'), { recursive: true });
    writeFileSync(join(folder, 'config.json'), '{"model_type":"llama","architectures":["LlamaForCausalLM"]}');
    // Sparse: large to whoever would read it, small on the disk.
    for (const name of ['model.onnx', 'model.onnx_data', 'model_fp16.onnx']) { writeFileSync(join(folder, 'onnx', name), ''); truncateSync(join(folder, 'onnx', name), modelBytes); }
  }
  writeFileSync(stamp, '');
  return root;
}

/** Prints how long it takes, first and median of `rounds`. */
export async function benchDiscovery(cache: string, rounds: number, say: (line: string) => void): Promise<void> {
  const root = workspace(cache), times: number[] = [];
  let found = await discover([root]);
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    found = await discover([root]);
    times.push(performance.now() - start);
  }
  const files = found.groups.flatMap(group => group.models).length;
  say(`\nDiscovery in a workspace of ${found.files.toLocaleString('en')} entries: ${found.groups.length} models with ${files} files of ${(modelBytes / 2 ** 30).toFixed(0)} GiB each; first ${times[0].toFixed(0)} ms, median ${times.toSorted((a, b) => a - b)[rounds >> 1].toFixed(0)} ms (limit 1,000 ms)`);
}
