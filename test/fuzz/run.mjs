/** `npm run fuzz`: 20,000 mutants, or as many as `-- --mutants N` says; `--seed N` for others, `--only TARGET --from N --show 1` for some again, with what each said. */
import { run } from '../bed/run.mjs';

const option = (name, otherwise) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? otherwise : process.argv[at + 1]; };
const env = { ...process.env, ATTNSCOPE_FUZZ_MUTANTS: option('mutants', '20000') };
for (const name of ['seed', 'only', 'from', 'show']) if (option(name)) env[`ATTNSCOPE_FUZZ_${name.toUpperCase()}`] = option(name);
try {
  await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/fuzz'], { env, inherit: true, timeoutMs: 4 * 3_600_000 });
} catch { process.exitCode = 1; }
