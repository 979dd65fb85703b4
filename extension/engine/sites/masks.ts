/** What a mask does, as far as the graph shows it without running: causal, window, padding, bias. */
import type { MaskShape } from '../../contract/site.ts';
import type { GraphView, Node, Tensor } from '../onnx/model.ts';
import { elementBytes, elementCount, numbersOf, readTensor, tensorBytes } from '../onnx/tensors.ts';
import type { MaskTerm, SitePlan } from './site-plan.ts';
import { isBoolean, passes, scalarConstant } from './walk.ts';

const hidden = -1e4;
/** Nodes of a mask's graph that are looked at; masks have a few dozen. */
const mostNodes = 600;
/** Elements of a stored mask (a buffer of 2,048 × 2,048 positions). */
const mostElements = 1 << 22;

type Rule = SitePlan['rule'];
interface Findings { causal: boolean; left: number | undefined; right: number | undefined; padding: boolean; additive: boolean }

/** Flags of a site whose masks are `terms`, beyond what its operator does by itself. */
export function maskShape(view: GraphView, terms: readonly MaskTerm[], rule: Rule): MaskShape {
  const found: Findings = { causal: rule.causal, left: rule.window?.[0], right: rule.window?.[1], padding: false, additive: false };
  for (const { value, as, times } of terms) {
    const own = findingsOf(view, value, as === 'add' && !(times && hidesSubtracted(view, value)));
    found.causal ||= own.causal; found.padding ||= own.padding; found.additive ||= own.additive;
    found.left = own.left ?? found.left; found.right = own.right ?? found.right;
  }
  const { left, right } = found;
  const window = left === undefined ? null : found.causal || right === undefined ? left : [left, right] as const;
  return { causal: found.causal, window, padding: found.padding, additive: found.additive };
}

/** A large number where a key is hidden, to be subtracted. */
function hidesSubtracted(view: GraphView, value: string): boolean {
  const node = view.producer(value), at = node?.op === 'Mul' ? node.inputs.findIndex(input => (scalarConstant(view, input) ?? 0) >= -hidden) : -1;
  return at >= 0 && isIndicator(view, node!.inputs[1 - at], { steps: 0 });
}

const nothingFound: Findings = { causal: false, left: undefined, right: undefined, padding: false, additive: false };
const findings = new WeakMap<GraphView, Map<string, Findings>>();

/** Layers share their masks: each is looked at once. */
function findingsOf(view: GraphView, value: string, added: boolean): Findings {
  let known = findings.get(view);
  if (!known) findings.set(view, known = new Map());
  let found = known.get(value);
  if (!found) {
    known.set(value, found = { ...nothingFound });
    if (added) inspectAdded(view, value, found, { steps: 0 }); else inspect(view, value, found);
  }
  return found;
}

/** Of an added value only the parts that hide are looked into: how a bias is computed says nothing of what is visible. */
function inspectAdded(view: GraphView, value: string, found: Findings, budget: Budget): void {
  if (isMaskOnly(view, value)) { inspect(view, value, found); return; }
  const node = view.producer(value);
  if (++budget.steps < mostSteps && node?.domain === '') {
    if (node.op === 'Add') { for (const input of node.inputs) inspectAdded(view, input, found, budget); return; }
    if (moves.has(node.op) || passes(node)) { inspectAdded(view, node.inputs[0], found, budget); return; }
    const fill = node.op === 'Where' ? node.inputs.findIndex((input, i) => i > 0 && (scalarConstant(view, input) ?? 0) <= hidden) : -1;
    if (fill > 0) { inspect(view, node.inputs[0], found); inspectAdded(view, node.inputs[3 - fill], found, budget); return; }
  }
  found.additive = true;
  // A bias and a mask that an exporter folded into one constant.
  const constant = view.constant(value);
  if (constant) readMatrix(constant.dims, constant.data, found); else if (!node) readBuffer(view, value, found);
}

const cache = new WeakMap<GraphView, Map<string, boolean>>();

/** Whether an added value only hides: zeros where a key is visible, a large negative number where it is not. Every value is judged once. */
export function isMaskOnly(view: GraphView, value: string, depth = 0): boolean {
  let known = cache.get(view);
  if (!known) cache.set(view, known = new Map());
  let answer = known.get(value);
  if (answer === undefined) {
    known.set(value, false);
    known.set(value, answer = judge(view, value, depth));
  }
  return answer;
}

function judge(view: GraphView, value: string, depth: number): boolean {
  if (depth > 48) return false;
  const constant = view.constant(value);
  if (constant) return constant.data.every(number => number === 0 || number <= hidden);
  const node = view.producer(value);
  if (!node) {
    if (view.graph.initializers.has(value)) return storedMask(view, value)?.every(number => number === 0 || number <= hidden) ?? false;
    return /mask/i.test(value) && view.graph.inputs.some(input => input.name === value);
  }
  const each = (inputs: readonly string[]): boolean => inputs.every(input => isMaskOnly(view, input, depth + 1));
  if (node.domain !== '') return false;
  if (moves.has(node.op) || passes(node) || node.op === 'QuantizeLinear' || node.op === 'DequantizeLinear') return each([node.inputs[0]]);
  switch (node.op) {
    // Where(x ≠ 0, −big, x), as inverted masks are made, leaves zeros: what is chosen where it is false is false itself.
    case 'Where': return each(node.inputs.slice(1)) || (castOf(view, node.inputs[0]) === node.inputs[2] && each([node.inputs[1]]));
    case 'Add': case 'Concat': case 'Min': case 'Max': return each(node.inputs);
    case 'ScatterND': case 'ScatterElements': return each([node.inputs[0], node.inputs[2]]);
    case 'ConstantOfShape': { const fill = node.attributes.get('value')?.tensor; const number = fill ? readTensor(view.model, fill, 1)?.[0] : 0; return number === 0 || (number ?? 1) <= hidden; }
    // (1 − mask) · −big, and a mask times another: one factor is 0 or 1, the other hides.
    case 'Mul': return node.inputs.some((input, i) => isMaskOnly(view, input, depth + 1) && isIndicator(view, node.inputs[1 - i], { steps: 0 }));
    default: return false;
  }
}

/** What a value of booleans was cast from. */
function castOf(view: GraphView, value: string): string | undefined {
  const node = view.producer(value);
  return node?.op === 'Cast' && isBoolean(view, value) ? node.inputs[0] : undefined;
}

const moves = new Set(['Reshape', 'Unsqueeze', 'Squeeze', 'Expand', 'Tile', 'Slice', 'Transpose', 'Trilu', 'Gather', 'GatherND', 'Flatten']);

/** Steps that one question may take through a graph, so that no graph, however made, takes long. */
export interface Budget { steps: number }
const mostSteps = 400;

/** A value of zeros and ones: a mask cast to numbers, or one minus it. */
export function isIndicator(view: GraphView, value: string, budget: Budget): boolean {
  if (++budget.steps > mostSteps) return false;
  const constant = view.constant(value);
  if (constant) return constant.data.every(number => number === 0 || number === 1);
  const node = view.producer(value);
  if (!node && view.graph.initializers.has(value)) return storedMask(view, value)?.every(number => number === 0 || number === 1) ?? false;
  if (!node) return view.graph.inputs.some(input => input.name === value && /mask/i.test(value));
  const each = (inputs: readonly string[]): boolean => inputs.every(input => isIndicator(view, input, budget));
  if (node.op === 'Cast') return isBoolean(view, node.inputs[0]) || each([node.inputs[0]]);
  if (node.op === 'Sub') return scalarConstant(view, node.inputs[0]) === 1 && each([node.inputs[1]]);
  if (node.op === 'Mul' || node.op === 'And') return each(node.inputs);
  if (node.op === 'Where') return each(node.inputs.slice(1));
  return (moves.has(node.op) || passes(node) || node.op === 'Not') && (isBoolean(view, node.inputs[0]) || each([node.inputs[0]]));
}

/** Looks at everything a mask is computed from, except shapes. */
function inspect(view: GraphView, value: string, found: Findings): void {
  const seen = new Set<string>(), stack = [value];
  for (let name = stack.pop(); name !== undefined && seen.size < mostNodes; name = stack.pop()) {
    if (!name || seen.has(name)) continue;
    seen.add(name);
    const node = view.producer(name);
    if (!node) {
      if (view.graph.inputs.some(input => input.name === name) && !view.graph.initializers.has(name)) found.padding ||= !/position|past|cache|key_values/i.test(name);
      else readBuffer(view, name, found);
      continue;
    }
    if (node.op === 'Shape' || node.op === 'Size') continue;
    if (comparisons.has(node.op)) { if (compare(view, node, found)) continue; }
    if (node.op === 'Trilu') found.causal = true;
    const folded = view.constant(name);
    if (folded) { readMatrix(folded.dims, folded.data, found); continue; }
    // Where a value is cut or spread, sizes and indices say nothing of what it hides.
    stack.push(...(moves.has(node.op) ? node.inputs.slice(0, 1) : node.inputs));
  }
}

const comparisons = new Set(['Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual']);

/** A comparison of key positions with query positions: causal, or one side of a window. True when it was one. */
function compare(view: GraphView, node: Node, found: Findings): boolean {
  const budget = { steps: 0 }, a = linear(view, node.inputs[0], budget), b = linear(view, node.inputs[1], budget);
  if (!a || !b) return false;
  // As: Σ key·k + query·q + constant (relation) 0.
  const key = a.key - b.key, query = a.query - b.query, constant = a.constant - b.constant;
  const absolute = a.absolute || b.absolute;
  if (absolute) {
    const limit = Math.abs(constant), strict = node.op === 'Less' || node.op === 'GreaterOrEqual';
    found.left = found.right = strict ? limit - 1 : limit;
    return true;
  }
  if (Math.abs(key) !== 1 || key !== -query) return false;
  const less = node.op === 'Less' || node.op === 'LessOrEqual', strict = node.op === 'Less' || node.op === 'Greater';
  // distance = query − key; the boundary lies at `at`, and the relation holds below or above it.
  const at = key === 1 ? constant : -constant, below = (key === 1) !== less;
  // Below: distance < at or ≤ at (visible: a window to the left). Above: distance > at or ≥ at.
  const edge = below ? (strict ? at - 1 : at) : strict ? at + 1 : at;
  if (below) {
    // "distance ≤ edge" keeps a window of edge + 1 keys; "distance ≤ −1" drops what lies ahead: causal.
    if (edge <= 0) found.causal = true; else found.left = Math.min(found.left ?? Infinity, edge + 1);
  } else if (edge <= 1) found.causal ||= edge >= 0;
  else found.left = Math.min(found.left ?? Infinity, edge);
  return true;
}

interface Linear { readonly key: number; readonly query: number; readonly constant: number; readonly absolute: boolean }

/** A value as key position, query position and a constant; offsets that only a run shows (the past) count as none. */
function linear(view: GraphView, value: string, budget: Budget): Linear | undefined {
  if (++budget.steps > mostSteps) return undefined;
  const scalar = scalarConstant(view, value);
  if (scalar !== undefined) return { key: 0, query: 0, constant: scalar, absolute: false };
  const dims = view.dims(value), node = view.producer(value);
  if (node?.op === 'Sub' || node?.op === 'Add') {
    const [a, b] = node.inputs.map(input => linear(view, input, budget)), sign = node.op === 'Sub' ? -1 : 1;
    return a && b && { key: a.key + sign * b.key, query: a.query + sign * b.query, constant: a.constant + sign * b.constant, absolute: a.absolute || b.absolute };
  }
  if (node?.op === 'Abs') { const inner = linear(view, node.inputs[0], budget); return inner && { ...inner, absolute: true }; }
  if (node?.op === 'Neg') { const inner = linear(view, node.inputs[0], budget); return inner && { key: -inner.key, query: -inner.query, constant: -inner.constant, absolute: inner.absolute }; }
  if (dims && dims.length >= 2) {
    const last = dims[dims.length - 1], before = dims[dims.length - 2];
    if (before === 1 && last !== 1) return { key: 1, query: 0, constant: offset(view, value), absolute: false };
    if (last === 1 && before !== 1) return { key: 0, query: 1, constant: offset(view, value), absolute: false };
  }
  if (dims?.length === 1 && dims[0] !== 1) return { key: 1, query: 0, constant: offset(view, value), absolute: false };
  if (dims?.every(dim => dim === 1)) return { key: 0, query: 0, constant: 0, absolute: false };
  return undefined;
}

/** A constant that was added to positions before they got their axes. */
function offset(view: GraphView, value: string): number {
  let at = value;
  for (let steps = 0; steps < 16; steps++) {
    const node = view.producer(at);
    if (!node) return 0;
    if (node.op === 'Add' || node.op === 'Sub') {
      const constant = scalarConstant(view, node.inputs[1]);
      return constant === undefined ? 0 : node.op === 'Add' ? constant : -constant;
    }
    if (!moves.has(node.op) && !passes(node)) return 0;
    at = node.inputs[0];
  }
  return 0;
}

/** A buffer of the model that is a mask: gpt2's triangle of booleans, or rows of 0 and −big. */
function readBuffer(view: GraphView, name: string, found: Findings): void {
  const tensor = view.graph.initializers.get(name), numbers = tensor && isSquare(tensor) ? storedMask(view, name) : undefined;
  if (!numbers) return;
  let own = matrices.get(numbers);
  if (!own) {
    matrices.set(numbers, own = { ...nothingFound });
    readMatrix(tensor!.dims, numbers, own);
  }
  found.causal ||= own.causal;
  found.left = own.left ?? found.left;
}

function isSquare(tensor: Tensor): boolean {
  const [rows, columns] = tensor.dims.slice(-2);
  return tensor.dims.length >= 2 && rows > 1 && columns > 1;
}

interface Stored { readonly bytes: Uint8Array; readonly numbers: readonly number[] }
const stored = new WeakMap<Tensor, Stored>();
const lastOfShape = new WeakMap<GraphView, Map<string, Stored>>();

/** Numbers of a mask among the initializers. Layers often have a copy each: equal bytes are turned into numbers once. */
function storedMask(view: GraphView, name: string): readonly number[] | undefined {
  const tensor = view.graph.initializers.get(name), count = tensor ? elementCount(tensor.dims) : 0;
  if (!tensor || !(count <= mostElements)) return undefined;
  const known = stored.get(tensor);
  if (known) return known.numbers;
  const bytes = tensorBytes(view.model, tensor, count * (elementBytes(tensor.type) ?? 0));
  if (!bytes) return readTensor(view.model, tensor, mostElements);
  let shapes = lastOfShape.get(view);
  if (!shapes) lastOfShape.set(view, shapes = new Map());
  const key = `${tensor.type} ${tensor.dims.join(' ')}`, last = shapes.get(key);
  const own = last && Buffer.compare(last.bytes, bytes) === 0 ? last : { bytes, numbers: numbersOf(bytes, tensor.type) };
  shapes.set(key, own);
  stored.set(tensor, own);
  return own.numbers;
}

const matrices = new WeakMap<readonly number[], Findings>();

/** Finds the triangle or band in the last two axes of a constant mask. */
function readMatrix(dims: readonly number[], data: readonly number[], found: Findings): void {
  const [rows, columns] = dims.slice(-2);
  if (dims.length < 2 || rows < 2 || columns < rows || data.length < rows * columns) return;
  const biased = data.some(number => number <= hidden);
  // A table of biases hides nothing, however it is laid out.
  if (!biased && !data.every(number => number === 0 || number === 1)) return;
  const at = (row: number, column: number): number => (biased ? Number(data[row * columns + column] > hidden) : data[row * columns + column]);
  // Hidden is what the upper right corner holds; the diagonal must be visible.
  const shut = at(0, columns - 1), past = columns - rows;
  if (at(0, past) === shut || at(rows - 1, columns - 1) === shut) return;
  let left = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = row + past + 1; column < columns; column++) if (at(row, column) !== shut) return;
    let first = 0;
    while (first <= row + past && at(row, first) === shut) first++;
    for (let column = first; column <= row + past; column++) if (at(row, column) === shut) return;
    left = Math.max(left, row + past - first + 1);
  }
  found.causal = true;
  if (left < columns) found.left = left;
}
