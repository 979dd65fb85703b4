/** The committed table of operators: no operator is missing, nothing in it is stale, and every sentence of refusal is what a model gets. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildModel } from '../../../extension/engine/onnx/build.ts';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { operatorRows, operatorTable } from '../../../extension/engine/sites/operator-table.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import { oneNode, type RefusedModel } from './refused/refused-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'operators-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = readdirSync(join(import.meta.dirname, 'refused')).filter(file => file.endsWith('.ts') && file !== 'refused-model.ts').map(file => file.slice(0, -3));
const refused = (await Promise.all(files.map(file => import(`./refused/${file}.ts`) as Promise<{ readonly refused: readonly RefusedModel[] }>))).flatMap(module => module.refused);
const rows = operatorRows();

/** The operators that attention comes in: those of ai.onnx up to its previews, and those of onnxruntime 1.30. */
const known = [
  'ai.onnx.Attention', 'ai.onnx.LinearAttention', 'ai.onnx.Softmax', 'ai.onnx.preview.FlexAttention',
  ...['Attention', 'MultiHeadAttention', 'GroupQueryAttention', 'PackedAttention', 'PackedMultiHeadAttention', 'QAttention', 'QOrderedAttention', 'QOrderedLongformerAttention', 'DecoderMaskedSelfAttention',
    'DecoderMaskedMultiHeadAttention', 'SparseAttention', 'PagedAttention', 'LongformerAttention', 'DecoderAttention', 'LinearAttention', 'GatedDeltaNet'].map(name => `com.microsoft.${name}`),
];

it('has one row for every operator', () => {
  const names = rows.map(row => row.operator);
  expect(new Set(names).size).toBe(names.length);
  expect(known.filter(operator => !names.includes(operator))).toEqual([]);
});

it('is written as it is (npm run generate)', () => {
  expect(readFileSync(join(import.meta.dirname, '../../../extension/engine/sites/OPERATORS.md'), 'utf8')).toBe(operatorTable());
});

it('refuses every form of what is compared with nothing', () => {
  for (const row of rows.filter(one => one.compared === null)) expect(row.refused.map(one => one.form), row.operator).toEqual(['any']);
});

it('has no model of a refusal that no row speaks of', () => {
  expect(refused.filter(({ operator, form }) => !rows.some(row => row.operator === operator && row.refused.some(one => one.form === form)))).toEqual([]);
});

describe.each(rows.filter(row => row.refused.length).map(row => [row.operator, row] as const))('%s', (operator, row) => {
  it.each(row.refused)('is refused: $form', async ({ form, sentence }) => {
    const models = refused.filter(one => one.operator === operator && one.form === form).map(one => one.model);
    if (row.compared === null && form === 'any') models.push(oneNode(operator, [[1, 4, 8], [1, 4, 8], [1, 4, 8]], { num_heads: 2 }));
    expect(models.length, `no model of test/unit/sites/refused is refused for ${form}`).toBeGreaterThan(0);
    for (const model of models) {
      const path = join(folder, 'model.onnx');
      writeFileSync(path, buildModel(model));
      const found = recognise(await openModel(path));
      expect(found.refused.map(one => [`${one.operator.includes('.') ? '' : 'ai.onnx.'}${one.operator}`, one.reason])).toContainEqual([operator, sentence]);
      expect(found.plans).toEqual([]);
    }
  });
});
