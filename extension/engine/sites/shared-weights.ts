/** Which sites read the weights of a site before them: one set of weights that several layers use. */
import type { GraphView, Node } from '../onnx/model.ts';
import { tensorBytes } from '../onnx/tensors.ts';
import { projections } from './kind.ts';
import type { SitePlan } from './site-plan.ts';

/** Bytes of a weight that are compared: exporters write a transposed weight once for every layer that uses it. */
const looked = 256;

/** For each plan, whether an earlier one projects its q with the same weights. */
export function repeated(view: GraphView, plans: readonly SitePlan[]): boolean[] {
  const seen = new Set<string>();
  return plans.map(({ site: { taps: { q } } }) => {
    const weights = q ? [...projections(view, q)].map(node => fingerprint(view, node)) : [], key = weights.join(' ');
    if (!weights.length || weights.includes(undefined)) return false;
    const known = seen.has(key);
    seen.add(key);
    return known;
  });
}

/** What a weight is: its name, or the start of its bytes where they can be read. */
function fingerprint(view: GraphView, { inputs: [, name] }: Node): string | undefined {
  const tensor = view.graph.initializers.get(name);
  if (!tensor) return view.producer(name)?.inputs[0];
  try {
    const bytes = tensorBytes(view.model, tensor, looked);
    return bytes ? `${tensor.dims.join('x')} ${Buffer.from(bytes).toString('base64')}` : name;
  } catch { return name; }
}
