/** What the parts of the tiled kernel cost: it is timed with one part after the other left out (`bench.mjs --ablate`). Results are wrong then; only the time is looked at. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tiledPlan } from '../../../extension/engine/compute/attention/exact-plan.ts';
import type { Problem } from '../../../extension/engine/compute/attention/problem.ts';
import { Gpu, type OnDevice } from '../../../extension/engine/compute/gpu/gpu.ts';
import { timePlan } from '../../../extension/engine/compute/gpu/timing.ts';

type Edit = readonly [file: string, from: string | RegExp, to: string];
const tiled = 'exact/tiled.wgsl', never = 'next.a.x == 1.2345';
const parts: Readonly<Record<string, readonly Edit[]>> = {
  'first product': [[tiled, '      multiply_slice(&s, d, tx, ty);\n', '']],
  'second product': [[tiled, 'for (var key4 = 0u; key4 < KEYS / 4u; key4++) {', 'for (var key4 = 0u; key4 < 0u; key4++) {']],
  'loads behind four': [[tiled, /      for \(var n = thread \+ 4u \* THREADS;.*\n/g, ''], ['common/tile.wgsl', /  for \(var n = thread \+ 4u \* THREADS;[\s\S]*?\n  \}\n/, '']],
  'loads': [[tiled, /      if \((phase \+ KEYS < COLUMNS|d \+ DS < D)\) \{ next = .*\n/g, '']],
  'writing tiles': [[tiled, /      (keep_slice\(.*\);)\n/, `      if (${never}) { $1 }\n`], [tiled, /      (.*keep_value\(thread.*next\.[abcd]\);.*)\n/g, `      if (${never}) { $1 }\n`]],
  'offering weights': [[tiled, /      switch \(phase \/ TX\) \{[\s\S]*?default: \{\}\n      \}\n/, '      if (s.r0.a.x == 1.2345) { offer(phase, 0u, tx, ty, s.r0.a, s.r1.a); }\n']],
  'exponentials': [['common/block.wgsl', 'return Row(exp2(row.a - base), exp2(row.b - base));', 'return row;']],
  'scores': [[tiled, /    s\.r\d = score_row\(.*\n/g, '']],
  'rescaling': [[tiled, /    acc\.r\d = times\(acc.*\n/g, '']],
  'maxima across': [[tiled, /let peak = across_max\((Eight\(.*\)), tx, ty\);/, 'let peak = $1;']],
  'barriers': [[tiled, /      workgroupBarrier\(\);\n/g, '']],
};
/** Left out together. */
const sets: readonly (readonly string[])[] = [[], ...Object.keys(parts).map(part => [part]), ['first product', 'second product'], ['loads behind four', 'loads'], ['loads behind four', 'loads', 'writing tiles'],
  ['first product', 'second product', 'loads behind four', 'loads', 'writing tiles'], ['first product', 'second product', 'loads behind four', 'loads', 'writing tiles', 'offering weights'],
  ['first product', 'second product', 'loads behind four', 'loads', 'writing tiles', 'offering weights', 'barriers'], ['first product', 'second product', 'loads behind four', 'loads', 'writing tiles', 'offering weights', 'barriers', 'scores', 'exponentials', 'rescaling', 'maxima across'],
  ['loads behind four', 'loads', 'writing tiles', 'offering weights', 'barriers', 'scores', 'exponentials', 'rescaling', 'maxima across']];

export async function ablate(shaders: string, of: Problem, inputs: (gpu: Gpu) => Promise<OnDevice>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'attnscope-ablate-'));
  try {
    for (const [n, left] of sets.entries()) {
      const own = join(folder, String(n));
      cpSync(shaders, own, { recursive: true });
      for (const [file, from, to] of left.flatMap(part => parts[part])) {
        const path = join(own, file), text = readFileSync(path, 'utf8'), edited = text.replace(from, to);
        if (edited === text) throw new Error(`${file} has no ${from}.`);
        writeFileSync(path, edited);
      }
      const gpu = (await Gpu.open(own))!, given = await inputs(gpu), { ms } = await timePlan(gpu, tiledPlan(of, gpu.limits), [given], { rounds: 9 });
      console.log(`  ${left.length ? `without ${left.join(', ')}` : 'whole'}: ${ms.toFixed(3)} ms`);
      gpu.close();
    }
  } finally { rmSync(folder, { recursive: true, force: true }); }
}
