/** `npm run test:kill`: 100 seeded moments, or as many as `-- --moments N` says; `--seed N` for others. */
import { run } from '../bed/run.mjs';

const option = (name, otherwise) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? otherwise : process.argv[at + 1]; };
const env = { ...process.env, ATTNSCOPE_KILL_MOMENTS: option('moments', '100'), ...(option('seed') ? { ATTNSCOPE_KILL_SEED: option('seed') } : {}) };
try {
  await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/kill'], { env, inherit: true, timeoutMs: 3_600_000 });
} catch { process.exitCode = 1; }
