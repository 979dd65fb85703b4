/** How many positions and which tokens a model has, read from the shapes of its tables. */
import { UserError } from '../../../contract/errors.ts';
import type { Graph, Model, Node, ValueInfo } from '../../onnx/model.ts';
import type { ModelConfig } from './model-config.ts';

/** Rows of the tables that token ids are looked up in; config.json where the graph does not show one. */
export function vocabularySize(model: Model, input: string, config: ModelConfig): number | undefined {
  const rows = tablesOf(model.graph, input);
  return rows.length ? Math.min(...rows) : config.vocabulary;
}

/** Rows of the text's position tables: initializers that are named so; config.json otherwise. Undefined when nothing limits the length. */
export function positionLimit(model: Model, config: ModelConfig): { readonly positions: number; readonly from: string } | undefined {
  const limits: { positions: number; from: string }[] = [];
  for (const tensor of model.graph.initializers.values()) {
    if (tensor.dims.length !== 2 || /vision|visual|image|audio/i.test(tensor.name) || !/(^|[./_])(wpe|position_embeddings?|embed_positions|pos_embed(ding)?s?|positional_embedding)(\.|$|_)/i.test(tensor.name)) continue;
    // OPT and BART keep two rows in front.
    const offset = /embed_positions/.test(tensor.name) && tensor.dims[0] % 2 === 0 && config.positions === tensor.dims[0] - 2 ? 2 : 0;
    limits.push({ positions: tensor.dims[0] - offset, from: `its table ${tensor.name}` });
  }
  if (config.positions !== undefined) limits.push({ positions: config.positions, from: 'its config.json' });
  return limits.sort((a, b) => a.positions - b.positions)[0];
}

/** Errors: `UserError` that names the first token outside the vocabulary. */
export function checkIds(model: Model, input: ValueInfo, ids: readonly number[], config: ModelConfig): void {
  const size = vocabularySize(model, input.name, config);
  if (!ids.length) throw new UserError('The prompt has no tokens.', 'Give at least one token.');
  const wrong = ids.find(id => !Number.isSafeInteger(id) || id < 0 || (size !== undefined && id >= size));
  if (wrong !== undefined) throw new UserError(`The token id ${wrong} is not in the vocabulary${size === undefined ? '' : `, which has ${size} tokens (0 to ${size - 1})`}.`, 'Check the ids, or whether they belong to another model.');
}

/** Errors: `UserError` when the prompt has more tokens than the model has positions. */
export function checkLength(model: Model, input: ValueInfo, tokens: number, config: ModelConfig): void {
  const limit = positionLimit(model, config);
  if (limit && tokens > limit.positions) throw new UserError(`The prompt has ${tokens} tokens (${input.name}); the model has ${limit.positions} positions (from ${limit.from}).`, 'Use a shorter prompt.');
}

/** Rows of the initializers that a Gather looks `input` up in, behind casts and reshapes. */
function tablesOf(graph: Graph, input: string): number[] {
  const rows: number[] = [], seen = new Set([input]);
  const follow = (node: Node): boolean => /^(Cast|Reshape|Identity|Unsqueeze|Squeeze|Clip|Where|Flatten)$/.test(node.op) && node.domain === '';
  for (const node of graph.nodes) {
    if (node.op === 'Gather' && seen.has(node.inputs[1])) {
      const table = graph.initializers.get(node.inputs[0]);
      if (table && table.dims.length === 2 && (node.attributes.get('axis')?.i ?? 0) === 0) rows.push(table.dims[0]);
    } else if (follow(node) && seen.has(node.inputs[0])) seen.add(node.outputs[0]);
  }
  return rows;
}
