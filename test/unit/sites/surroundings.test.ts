/** The residual stream and the projections of every zoo export, checked by what onnxruntime computes: sums of the stream, and q, k, v from the weights that were located. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../extension/engine/onnx/open.ts';
import { readWeights } from '../../../extension/engine/sites/read-weights.ts';
import { recognise } from '../../../extension/engine/sites/recognise.ts';
import { formCases, readReference, zooCases } from '../../zoo/cases.ts';
import { normalise } from '../../zoo/evaluate.ts';
import { runModel } from '../../zoo/session.ts';

/** Families whose q and k are turned by a rotary embedding behind the projection; v never is. */
const rotary = /^(llama|mistral_sw|gemma2|phi3|llava|gqa)/;
/** Families with norms behind the sums: the stream is what these give. */
const postNorm = /^(bert|distilbert|deberta)/;

describe.each(zooCases().map(zoo => [`${zoo.architecture}/${zoo.export}`, zoo] as const))('%s', (_, zoo) => {
  it('adds up', async () => {
    const model = await openModel(zoo.file), reference = readReference(zoo.reference), { plans } = recognise(model);
    const values = new Set<string>();
    for (const { site, q, k, v, out } of plans) for (const name of [...Object.values(site.block ?? {}), q?.value, k?.value, v?.value, out?.value]) if (name && (!/^attnscope\./.test(name))) values.add(name);
    for (const { site } of plans) if (site.block) values.add(site.block.ln1 ?? site.block.residPre);
    const names = [...values], nodes = names.map((name, i) => ({ op: 'Identity', name: `tap_${i}`, inputs: [name], outputs: [`tap_${i}`] }));
    const ran = await runModel(model, reference, { nodes, outputs: nodes.map(node => ({ name: node.outputs[0] })) });
    const numbers = (name: string): Float64Array => Float64Array.from(ran[`tap_${names.indexOf(name)}`].data as Float32Array, Number);
    let checked = 0;
    for (const { site, q, k, v, out } of plans) {
      const { block, weights } = site;
      if (!zoo.export.startsWith('fused') && zoo.export !== 'genai') {
        expect(Object.entries(weights!).filter(([, place]) => !place).map(([name]) => name), `${site.name}: projections`).toEqual([]);
        expect(block, `${site.name}: block`).not.toBeNull();
      }
      if (!block || !weights?.q) continue;
      const read = numbers(block.ln1 ?? block.residPre), width = weights.q.width;
      for (const [part, operand] of [['q', q], ['k', k], ['v', v]] as const) {
        const place = weights[part];
        if (!operand || !place || !values.has(operand.value) || (part !== 'v' && rotary.test(zoo.architecture)) || (part !== 'q' && site.kind === 'cross')) continue;
        const { data, bias, shape } = readWeights(model, place, part), made = normalise(ran[`tap_${names.indexOf(operand.value)}`], operand), own = place.heads * place.dim, rows = read.length / width;
        expect(shape).toEqual([width, place.heads, place.dim]);
        // Windows and padding put the rows of hierarchical models in another order.
        if (made.data.length !== rows * own || zoo.architecture === 'swin') continue;
        let worst = 0, largest = 0;
        for (let r = 0; r < rows; r++) for (let i = 0; i < own; i++) {
          let sum = bias ? bias[i] : 0;
          for (let x = 0; x < width; x++) sum += read[r * width + x] * data[x * own + i];
          worst = Math.max(worst, Math.abs(sum - made.data[r * own + i]));
          largest = Math.max(largest, Math.abs(sum));
        }
        expect(worst / largest, `${site.name} ${part}`).toBeLessThan(1e-5);
        checked++;
      }
      // W_O: z · W_O and its bias are what is added to the stream, where no norm of its own lies between.
      const z = out && values.has(out.value) ? normalise(ran[`tap_${names.indexOf(out.value)}`], out) : undefined;
      if (z && weights.o && zoo.architecture !== 'gemma2' && zoo.architecture !== 'swin' && z.data.length / (weights.o.heads * weights.o.dim) === numbers(block.attnOut).length / weights.o.width) {
        const { data, bias } = readWeights(model, weights.o, 'o'), own = weights.o.heads * weights.o.dim, added = numbers(block.attnOut), wide = weights.o.width;
        let worst = 0;
        for (let r = 0; r < added.length / wide; r++) for (let x = 0; x < wide; x++) {
          let sum = bias ? bias[x] : 0;
          for (let i = 0; i < own; i++) sum += z.data[r * own + i] * data[i * wide + x];
          worst = Math.max(worst, Math.abs(sum - added[r * wide + x]));
        }
        expect(worst / Math.max(...added.map(Math.abs)), `${site.name} o`).toBeLessThan(1e-5);
        checked++;
      }
      if (postNorm.test(zoo.architecture) || zoo.export.startsWith('fused')) continue;
      const add = (a: string, b: string, sum: string): void => { const [x, y, s] = [a, b, sum].map(numbers); expect(Math.max(...s.map((value, i) => Math.abs(value - x[i] - y[i]))), `${site.name}: ${a} + ${b}`).toBeLessThan(1e-5); checked++; };
      add(block.residPre, block.attnOut, block.residMid!);
      if (block.mlpOut !== null) add(block.residMid!, block.mlpOut, block.residPost!);
    }
    if (!zoo.export.startsWith('fused') && zoo.export !== 'genai') expect(checked).toBeGreaterThanOrEqual(plans.length * 2);
    // What leaves a layer enters the next one of the same stack.
    const chains = plans.filter(plan => plan.site.block && plan.site.form === 'dense' && plan.site.kind === 'self');
    chains.forEach(({ site }, i) => {
      const next = chains.slice(i + 1).find(other => other.site.stack === site.stack && other.site.layer === site.layer + 1);
      if (next && !plans.some(other => other.site.kind === 'cross') && zoo.architecture !== 'swin' && !zoo.export.startsWith('fused')) expect(next.site.block!.residPre, site.name).toBe(site.block!.residPost);
    });
  });
});

describe.each(formCases().map(zoo => [`${zoo.architecture}/${zoo.export}`, zoo] as const))('%s', (name, zoo) => {
  it('has q, k and v, and what follows z, from the weights and biases that were located', async () => {
    const model = await openModel(zoo.file), { plans } = recognise(model), places = plans.flatMap(plan => (['q', 'k', 'v', 'o'] as const).flatMap(part => { const place = plan.site.weights![part], operand = part === 'o' ? plan.out : plan[part]; return place && operand ? [{ part, place, operand }] : []; }));
    for (const { place } of places) expect(place.at[0] + (place.heads - 1) * place.at[1] + (place.dim - 1) * place.at[2]).toBeLessThan(model.graph.initializers.get(place.tensor)!.dims[place.axis]);
    const values = [...new Set(places.flatMap(({ place, operand }) => [place.reads, operand.value]))].filter(value => !value.startsWith('attnscope.')), nodes = values.map((value, i) => ({ op: 'Identity', name: `tap_${i}`, inputs: [value], outputs: [`tap_${i}`] }));
    const ran = await runModel(model, readReference(zoo.reference), { nodes, outputs: nodes.map(node => ({ name: node.outputs[0] })) });
    let checked = 0;
    for (const { part, place, operand } of places) {
      if (part === 'o' || !values.includes(operand.value)) continue;
      const read = ran[`tap_${values.indexOf(place.reads)}`].data as Float32Array, made = normalise(ran[`tap_${values.indexOf(operand.value)}`], operand), { data, bias } = readWeights(model, place, part), own = place.heads * place.dim, rows = read.length / place.width;
      expect(made.data.length).toBe(rows * own);
      // PyTorch's own layer works with positions first.
      const [first] = ran[`tap_${values.indexOf(place.reads)}`].dims, [batch, positions] = made.shape, turned = zoo.architecture === 'library' && first === positions;
      let worst = 0;
      for (let r = 0; r < rows; r++) for (let i = 0; i < own; i++) {
        let sum = bias?.[i] ?? 0;
        const from = turned ? (r % positions) * batch + Math.floor(r / positions) : r;
        for (let x = 0; x < place.width; x++) sum += read[from * place.width + x] * data[x * own + i];
        worst = Math.max(worst, Math.abs(sum - made.data[r * own + i]));
      }
      expect(worst, `${name} ${part}`).toBeLessThan(1e-5);
      checked++;
    }
    expect(checked).toBe(plans.filter(plan => plan.q).length * 3);
    // These are trained from PyTorch's own start: no bias of theirs is zero.
    expect(places.filter(({ place }) => !place.bias).map(({ part }) => part)).toEqual([]);
  });
});
