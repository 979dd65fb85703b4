/** The test-only extension that stands beside the product in code-server: on start it runs the suite. */
import { run } from './index.ts';

export function activate(): void {
  // Outcomes are in a file by then; what is thrown is for runners that look at the promise.
  run().catch((error: unknown) => console.error(error));
}
