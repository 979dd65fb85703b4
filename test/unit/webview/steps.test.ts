/** Steps of a generation: what each wrote and which row decided it; what all heads of a row look at. */
import { expect, it } from 'vitest';
import type { Manifest } from '../../../extension/contract/trace.ts';
import { generationSteps, stepLooks } from '../../../webview/marks/steps.ts';

const input = { ids: [[1, 7, 9, 4]], tokens: [['<s>', 'The', ' cat', ' sat']], spans: [], real: [[1, 1, 1, 1]], given: 2 };
const alternatives = [{ id: 9, token: ' cat', probability: 0.6 }, { id: 8, token: ' dog', probability: 0.3 }];

it('the row before a token wrote it', () => {
  const generated: Manifest['generated'] = { from: 2, how: 'cache', stopped: 'length', steps: [{ probability: 0.6, alternatives }, { probability: 0.2, alternatives: [] }] };
  expect(generationSteps({ generated, input })).toEqual([
    { position: 2, query: 1, token: ' cat', id: 9, probability: 0.6, alternatives }, { position: 3, query: 2, token: ' sat', id: 4, probability: 0.2, alternatives: [] },
  ]);
  expect(generationSteps({ input })).toEqual([]);
});

it('keys by how many heads look at them most; the heads that look elsewhere', () => {
  const look = (head: number, key: number, probability: number) => ({ site: 'blocks.0.attn', head, label: `L0H${head}`, key, probability });
  const { keys, heads } = stepLooks([look(0, 0, 0.9), look(1, 0, 0.8), look(2, 3, 0.4), look(3, 2, 0.7), look(4, -1, 0)], 2);
  expect(keys).toEqual([{ key: 0, heads: 2 }, { key: 2, heads: 1 }]);
  expect(heads.map(one => one.label)).toEqual(['L0H3', 'L0H2']);
  expect(stepLooks([], 3)).toEqual({ keys: [], heads: [] });
});
