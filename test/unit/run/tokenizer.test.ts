/** Ids and character spans equal those of Python `tokenizers` (fixtures by test/python/tokenizer_offsets.py). */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../../extension/contract/errors.ts';
import { loadTokenizer, tokenizerOf } from '../../../extension/engine/run/tokenizer.ts';

interface Fixture { readonly tokenizers: string; readonly tokenizer: Record<string, unknown>; readonly cases: readonly { readonly text: string; readonly ids: readonly number[]; readonly spans: readonly (readonly [number, number] | null)[] }[] }
const fixtures = join(import.meta.dirname, 'fixtures');
const names = readdirSync(fixtures).filter(file => file.endsWith('.json'));
const read = (name: string): Fixture => JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as Fixture;

it('has fixtures of every family', () => expect(names).toHaveLength(7));

describe.each(names)('%s', name => {
  const { tokenizer, cases } = read(name), own = tokenizerOf(tokenizer, name);
  it.each(cases.map(one => [JSON.stringify(one.text), one] as const))('%s', (_, { text, ids, spans }) => {
    const encoded = own.encode(text);
    expect(encoded.ids).toEqual(ids);
    expect(encoded.spans).toEqual(spans);
    expect(encoded.tokens).toHaveLength(ids.length);
  });
});
