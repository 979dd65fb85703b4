/** Which tokens of a prompt stand for the image: by the id that config.json or the graph names; a single placeholder is written out. */
import { UserError } from '../../../contract/errors.ts';
import type { TraceImage, TraceInput } from '../../../contract/trace.ts';
import type { GraphView, Node } from '../../onnx/model.ts';
import { placeViews, runsOf, tokensOf, type ImageLayout } from '../../images/layouts/layout.ts';
import { findBeside, readJsonObject } from '../../folder/beside.ts';

/** `image_token_id` or `image_token_index` of config.json, else the constant that the graph compares its token ids with. */
export function imageTokenId(view: GraphView, idInput: string | undefined): number | undefined {
  const file = findBeside(view.model.path, 'config.json', 4 * 2 ** 20), config = file === undefined ? {} : readJsonObject(file), said = config.image_token_id ?? config.image_token_index;
  if (typeof said === 'number' && Number.isInteger(said)) return said;
  return idInput === undefined ? undefined : comparedWith(view, idInput);
}

function comparedWith(view: GraphView, input: string): number | undefined {
  const values = [input], seen = new Set(values), same = (node: Node): boolean => /^(Cast|Identity|Reshape|Unsqueeze)$/.test(node.op);
  for (let at = 0; at < values.length && at < 64; at++) for (const node of view.consumers(values[at])) {
    if (node.op === 'Equal') {
      const constant = view.constant(node.inputs[0] === values[at] ? node.inputs[1] : node.inputs[0]);
      // Padding is compared with, too; it is 0 or 1 nearly everywhere, and no image token is.
      if (constant?.data.length === 1 && constant.data[0] > 1) return constant.data[0];
    } else if (same(node)) for (const output of node.outputs) if (!seen.has(output)) { seen.add(output); values.push(output); }
  }
  return undefined;
}

/** How many tokens the image takes: one a patch, and one more where config.json says that the CLS token is kept (`full`). */
export function expectedTokens(path: string, { rows, columns }: { readonly rows: number; readonly columns: number }): number {
  const file = findBeside(path, 'config.json', 4 * 2 ** 20), config = file === undefined ? {} : readJsonObject(file);
  return rows * columns + (config.vision_feature_select_strategy === 'full' ? 1 : 0);
}

export interface Written { readonly ids: readonly number[]; readonly tokens?: readonly string[]; readonly spans?: TraceInput['spans'][number]; readonly types?: readonly number[]; readonly segments?: readonly number[] }

/**
 * A prompt with as many image tokens as the image takes: a single placeholder is repeated; where there is none they are put in front, behind
 * the start token. Errors: `UserError` with both counts where there are several, but not as many.
 */
export function withImageTokens(prompt: Written, id: number, count: number, name: string, start: number | undefined): { readonly prompt: Written; readonly how?: string } {
  const present = prompt.ids.filter(one => one === id).length;
  if (present === count) return { prompt };
  if (present > 1) throw new UserError(`The prompt has ${present} image tokens (id ${id}); the image takes ${count}.`, 'Write one of them; it is repeated as often as the image needs.');
  const at = present ? prompt.ids.indexOf(id) : prompt.ids[0] !== undefined && prompt.ids[0] === start ? 1 : 0;
  const put = <T>(list: readonly T[] | undefined, value: T): readonly T[] | undefined => list && [...list.slice(0, at), ...Array.from({ length: count }, () => value), ...list.slice(at + present)];
  const { tokens, spans, types, segments } = prompt, more = { tokens: put(tokens, name), spans: put(spans, null), types: put(types, 0), segments: put(segments, 0) as readonly number[] | undefined };
  return { prompt: { ids: put(prompt.ids, id)!, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)) }, how: present ? `its placeholder repeated ${count} times` : `${count} image tokens put in front` };
}

/** The positions of the image's tokens among `ids`, and the grid, or the views by `layout`, that they are. Undefined where there are none. */
export function imageRuns(ids: readonly number[], id: number, image: Pick<TraceImage, 'patches'>, layout?: ImageLayout): TraceImage['tokens'] {
  const positions = ids.flatMap((one, i) => (one === id ? [i] : [])), runs = runsOf(positions), count = positions.length;
  if (!count) return undefined;
  if (layout) {
    if (count !== tokensOf(layout)) return { id, runs, rows: 0, columns: 0, problem: `The prompt has ${count} image tokens; the image takes ${layout.said}.` };
    const views = placeViews(layout, positions), { rows, columns } = views[0];
    return { id, runs, rows, columns, views };
  }
  const { rows, columns } = image.patches;
  // Projectors that join patches (pixel shuffle, pooling) make the grid coarser by the same factor both ways.
  for (let factor = 1; factor <= Math.min(rows, columns); factor++) if (rows % factor === 0 && columns % factor === 0 && rows / factor * (columns / factor) === count) return { id, runs, rows: rows / factor, columns: columns / factor };
  if (count === rows * columns + 1) return { id, runs: dropFirst(runs), rows, columns };
  return { id, runs, rows: 0, columns: 0, problem: `The prompt has ${count} image tokens; the patch grid is ${rows} × ${columns} = ${rows * columns}.` };
}

/** Without the CLS token, which is no place of the image. */
function dropFirst([[from, to], ...rest]: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] { return [...(to - from > 1 ? [[from + 1, to] as const] : []), ...rest]; }
