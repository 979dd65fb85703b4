/** `node test/long/make.mjs [TOKENS]`: writes the long decoder and, by our own command line, its trace of so many tokens (32,768) into .cache/long; prints what that took. */
import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { importBundled } from '../bed/bundle.mjs';
import { root, run } from '../bed/run.mjs';

const place = join(root, '.cache/long');

/** The trace, made when it is not there. `say` hears how long it took. */
export async function longTrace(tokens, say = () => undefined) {
  const out = join(place, `long-${tokens}.attntrace`);
  if (existsSync(out)) return out;
  mkdirSync(place, { recursive: true });
  const model = await longDecoder(), { longText, vocabulary } = await importBundled('test/long/text.ts'), prompt = join(place, `text-${tokens}.txt`);
  writeFileSync(prompt, longText(tokens - 1, vocabulary()));
  const start = performance.now();
  await run(process.execPath, [join(root, 'dist/attnscope.js'), 'trace', model, '--prompt-file', prompt, '--out', `${out}.new`]);
  renameSync(`${out}.new`, out);
  say(`Trace of ${tokens} tokens: ${((performance.now() - start) / 1000).toFixed(1)} s, ${(statSync(out).size / 1e6).toFixed(0)} MB`);
  return out;
}

/** The model's folder, written anew: it takes a moment. */
export async function longDecoder() {
  const { writeLongDecoder } = await importBundled('test/long/decoder.ts');
  return writeLongDecoder(join(place, 'model'));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) console.log(await longTrace(Number(process.argv[2] ?? 32_768), console.log));
