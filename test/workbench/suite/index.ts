/** Entry of the API suite: `run()` is called by the test-only extension (code-server) and by @vscode/test-electron. */
import { renameSync, writeFileSync } from 'node:fs';
import { runCases } from './harness.ts';
import { restrictedCases } from './restricted.ts';
import { trustedCases } from './trusted.ts';

/** Runs what ATTNSCOPE_SCENARIO names, writes the outcomes where ATTNSCOPE_OUTCOMES says, and rejects when a case failed. */
export async function run(): Promise<void> {
  const restricted = process.env.ATTNSCOPE_SCENARIO === 'restricted';
  const outcomes = await runCases(restricted ? 'api, restricted' : 'api', restricted ? restrictedCases : trustedCases);
  const file = process.env.ATTNSCOPE_OUTCOMES;
  if (file) {
    // Renamed when whole: the runner waits for the name.
    writeFileSync(`${file}.part`, JSON.stringify(outcomes));
    renameSync(`${file}.part`, file);
  }
  const failed = outcomes.filter(outcome => !outcome.ok);
  if (failed.length > 0) throw new Error(failed.map(outcome => `${outcome.name}: ${outcome.why}`).join('\n'));
}
