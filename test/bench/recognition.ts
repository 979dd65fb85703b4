/** Recognition of graphs of 2,000 to 100,000 nodes, each in fresh processes: time against its limits, memory a node. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Order, Report } from './worker.ts';
import { llamaJoint, repeatLayers } from './repeat-layers.ts';

const sizes: readonly (readonly [nodes: number, limitMs: number | undefined])[] = [[2_000, 50], [25_000, undefined], [50_000, undefined], [100_000, 2_000]];
interface Worker { ask(order: Order): Promise<Report>; end(): void }

/** A TorchScript decoder of the zoo with its second layer repeated; what is kept is the opened model with all its plans. */
export async function benchRecognition({ cache, zoo, rounds, worker, say }: { readonly cache: string; readonly zoo: string; readonly rounds: number; readonly worker: () => Worker; readonly say: (line: string) => void }): Promise<void> {
  mkdirSync(cache, { recursive: true });
  say(`\nRecognition of a decoder as TorchScript writes it (functions and branches looked for, every site with its weights and residual stream): processor ms of a fresh process, then the median of ${rounds} rounds`);
  say('| nodes | sites | opening ms | first ms | median ms | limit ms | kept MB | KB a node | peak MB |');
  say('|--|--|--|--|--|--|--|--|--|');
  for (const [nodes, limit] of sizes) {
    const file = join(cache, `recognised-${nodes}.onnx`), one = worker(), reports: Report[] = [];
    writeFileSync(file, repeatLayers(join(zoo, 'llama/eager-ts.onnx'), llamaJoint, nodes));
    for (let i = 0; i <= rounds; i++) reports.push(await one.ask({ kind: 'recognise', model: file }));
    one.end();
    const [first] = reports, median = reports.slice(1).map(report => report.ms).sort((a, b) => a - b)[rounds >> 1], { sites, openMs, keptBytes, nodes: found } = first.more;
    say(`| ${found} | ${sites} | ${openMs.toFixed(0)} | ${first.ms.toFixed(0)} | ${median.toFixed(0)} | ${limit ?? ''} | ${(keptBytes / 1e6).toFixed(0)} | ${(keptBytes / 1e3 / found).toFixed(2)} | ${(first.peakBytes / 1e6).toFixed(0)} |`);
  }
}
