/** What a function's own statements show of attention: fused calls, and a softmax between two products. */
import type { AttentionSignal } from './python-module.ts';
import { dottedName, walk, type Source, type Syntax } from './syntax.ts';

const products = new Set(['matmul', 'bmm', 'baddbmm', 'einsum', 'mm']);
const fused = /^(scaled_dot_product_attention|flex_attention|(scaled_dot_product_)?flash_attention\w*|_?flash_attention_forward|flash_attn(_\w+)?_func|flash_attn_with_kvcache|memory_efficient_attention|multi_head_attention_forward|sdpa_kernel_attention|attention_interface|sageattn\w*|dot_product_attention)$/;

/** Every fused call and every softmax has one of these in its name. */
const mentions = /softmax|att(n|ention)/i;

/**
 * Follows products and softmaxes through the local variables of one function body. A product of something with the module's own
 * parameter (`x @ self.weight`) is a projection, no score: routers and classifiers are not attention.
 * `softmaxes`: attributes of the class that hold an `nn.Softmax`.
 */
export function attentionSignals(source: Source, body: Syntax, softmaxes: ReadonlySet<string>): readonly AttentionSignal[] {
  // Most functions have nothing to do with it, and following values through them is what costs.
  if (softmaxes.size === 0 && !mentions.test(source.of(body))) return [];
  const scores = new Set<string>();
  const probabilities = new Set<string>();
  const signals: AttentionSignal[] = [];
  const softmaxNodes: Syntax[] = [];
  const isProduct = (node: Syntax): boolean => productOperands(source, node)?.every(o => !isOwnWeight(source, o)) ?? false;
  const holds = (node: Syntax, names: ReadonlySet<string>, of: (n: Syntax) => boolean): boolean => {
    let found = false;
    walk(node, n => {
      if (found) return false;
      found = of(n) || (n.type === 'identifier' && names.has(source.of(n)));
      return !found;
    });
    return found;
  };
  const isAttentive = (node: Syntax): boolean => {
    const argument = softmaxArgument(source, node, softmaxes);
    if (!argument || !holds(argument, scores, isProduct)) return false;
    if (!softmaxNodes.includes(node)) softmaxNodes.push(node);
    return true;
  };
  const look = (node: Syntax): void => {
    const name = node.type === 'call' && node.children[0] ? calledName(source, node.children[0]) : undefined;
    if (name && fused.test(name)) signals.push({ what: name, range: source.range(node) });
    const operands = productOperands(source, node);
    if (operands?.some(o => holds(o, probabilities, isAttentive))) signals.push({ what: 'softmax of a product, times a third', range: source.range(node) });
  };
  const assign = (left: Syntax, right: Syntax): void => {
    const isScore = holds(right, scores, isProduct) && !holds(right, probabilities, isAttentive);
    const isProbability = holds(right, probabilities, n => isAttentive(n)) && !(productOperands(source, right)?.some(o => holds(o, probabilities, isAttentive)));
    walk(left, n => {
      if (n.type !== 'identifier') return;
      const target = source.of(n);
      if (isScore) scores.add(target); else if (n.end === left.end && n.start === left.start) scores.delete(target);
      if (isProbability) probabilities.add(target); else if (n.end === left.end && n.start === left.start) probabilities.delete(target);
    });
  };
  walk(body, node => {
    if (node.type === 'class_definition') return false;
    look(node);
    if ((node.type === 'assignment' || node.type === 'augmented_assignment') && node.children.length >= 2) {
      const left = node.children[0];
      const right = node.children[node.children.length - 1];
      if (node.type === 'augmented_assignment') { if (holds(right, scores, isProduct)) assign(left, right); } else if (right.type !== 'type') assign(left, right);
    }
    return true;
  });
  return signals.slice(0, 64);
}

function calledName(source: Source, callee: Syntax): string | undefined {
  if (callee.type === 'identifier') return source.of(callee);
  return callee.type === 'attribute' ? source.of(callee.children[callee.children.length - 1]) : undefined;
}

/** Operands of `a @ b`, `torch.matmul(a, b)`, `a.bmm(b)`, `einsum('…', a, b)`; undefined when the node is no product. */
function productOperands(source: Source, node: Syntax): readonly Syntax[] | undefined {
  if (node.type === 'binary_operator' && node.children.length === 2) {
    const between = source.text.slice(node.children[0].end, node.children[1].start);
    return between.includes('@') ? node.children : undefined;
  }
  if (node.type !== 'call') return undefined;
  const [callee, list] = node.children;
  const name = callee && calledName(source, callee);
  if (!name || !products.has(name) || list?.type !== 'argument_list') return undefined;
  const args = list.children.filter(a => a.type !== 'keyword_argument' && a.type !== 'string');
  const library = callee.type === 'identifier' || /^(torch|np|jnp|tf|F)$/.test(dottedName(source, callee.children[0]) ?? '') || name === 'einsum';
  return library ? args : [callee.children[0], ...args];
}

/** `self.weight`, `self.weight.t()`, `self.weight.T`. */
function isOwnWeight(source: Source, node: Syntax): boolean {
  return /^self\.\w+(\.(t|T|mT|transpose)\b.*)?$/s.test(source.of(node).trim());
}

/** What is normalised: first argument of `softmax(x)`, `F.softmax(x)`, `nn.Softmax(-1)(x)`, `self.softmax(x)`, or `x` of `x.softmax(-1)`. */
function softmaxArgument(source: Source, node: Syntax, softmaxes: ReadonlySet<string>): Syntax | undefined {
  if (node.type !== 'call') return undefined;
  const [callee, list] = node.children;
  if (!callee) return undefined;
  const first = list?.children.find(a => a.type !== 'keyword_argument') ?? list?.children.find(a => source.of(a).startsWith('input'));
  if (callee.type === 'call') return /softmax$/i.test(calledName(source, callee.children[0]) ?? '') ? first : undefined;
  const name = calledName(source, callee);
  if (!name) return undefined;
  if (callee.type === 'attribute' && softmaxes.has(name) && source.of(callee.children[0]) === 'self') return first;
  if (!/softmax(_?one|_?1|1|n)?_?$/i.test(name) || /^log_?softmax|gumbel/i.test(name) || name === 'Softmax') return undefined;
  const object = callee.type === 'attribute' ? dottedName(source, callee.children[0]) : undefined;
  // `x.softmax(dim=-1)`, against `F.softmax(x)` and `self.masked_softmax(x)`.
  const isMethodOfTensor = callee.type === 'attribute' && !/^(torch|F|nn|self)$|functional$|special$/.test(object ?? '') && (!first || !['identifier', 'binary_operator', 'call', 'attribute', 'subscript'].includes(first.type));
  return isMethodOfTensor ? callee.children[0] : first;
}
