/** Reads the manifest of a trace from a stranger: every field is checked, every count is bounded by the file it came in. */
import * as v from 'valibot';
import { UserError } from '../../contract/errors.ts';
import { formatVersion, type Manifest } from '../../contract/trace.ts';
import { issueText } from './issue-text.ts';

const text = v.pipe(v.string(), v.maxLength(1_000_000));
const name = v.pipe(v.string(), v.maxLength(4_096));
const number = v.pipe(v.number(), v.finite());
const whole = v.pipe(number, v.integer());
const index = v.pipe(whole, v.minValue(0), v.maxValue(2 ** 40));
const size = v.nullable(v.pipe(index, v.maxValue(2 ** 31)));
const list = <S extends v.GenericSchema>(item: S, most = 4_000_000) => v.pipe(v.array(item), v.maxLength(most));
const record = <S extends v.GenericSchema>(item: S) => v.record(name, item);
const pair = v.tuple([whole, whole]);

const site = v.object({
  name: v.pipe(name, v.minLength(1)), stack: v.pipe(name, v.regex(/^[a-z]*$/)), layer: v.pipe(index, v.maxValue(100_000)), kind: v.picklist(['self', 'cross']), form: v.picklist(['dense', 'window', 'reduced', 'linear']),
  heads: size, kvHeads: size, headDim: size, valueDim: size,
  mask: v.object({ causal: v.boolean(), window: v.nullable(v.union([whole, pair])), padding: v.boolean(), additive: v.boolean() }),
  scale: v.nullable(number), softcap: v.nullable(number), sinkLogit: v.boolean(), alignmentHeads: v.optional(list(index, 10_000)), operator: name, node: text,
  capture: v.picklist(['graph', 'recomputed', 'softmax-only']), why: v.optional(text),
  taps: v.object({ q: v.nullable(text), k: v.nullable(text), v: v.nullable(text), probs: v.nullable(text), out: v.nullable(text) }),
  source: v.object({ module: v.nullable(text), class: v.nullable(text), file: v.nullable(text), line: v.nullable(index), text: v.optional(text), classModule: v.optional(text), level: v.picklist(['stack-trace', 'class-hierarchy', 'node-path', 'initializer', 'none']) }),
});
const head = v.object({
  batch: index, head: index, sink: number, sinkKey: whole, patternEntropy: number, prevTokenScore: number, selfAttentionScore: number, inductionScore: number,
  qkDistance: number, qkDistanceVariance: number, maxProb: number, firstTokenShare: number, saturation: v.optional(number, 0), secondarySink: v.optional(number), secondarySinkKey: v.optional(whole),
});
const notFinite = v.object({ tensor: name, index: list(index, 8), value: v.picklist(['NaN', 'Infinity', '-Infinity']), count: index });
const health = v.object({
  sites: record(v.object({
    product: v.optional(v.object({ value: number, exact: v.boolean(), batch: index, head: index, query: v.optional(index), key: v.optional(index) })),
    notFinite: list(notFinite, 8), padding: v.optional(v.object({ batch: index, head: index, share: number })), sinkValues: list(number),
  })),
  logits: v.optional(notFinite),
});
const positive = v.pipe(number, v.minValue(1e-9), v.maxValue(1e9)), places = v.tuple([number, number]), cells = v.pipe(index, v.maxValue(65_536));
/** More than any vision tower has. */
const mostCells = 2 ** 22;
const side = v.pipe(index, v.minValue(1), v.maxValue(4_096));
/** The cells of a view are its runs, one after the other: no more and no fewer. */
const runs = list(v.pipe(v.tuple([index, index]), v.check(([from, to]) => to > from, 'a run of image tokens is empty')), 100_000);
const view = v.pipe(
  v.object({ name: v.picklist(['image', 'tiles', 'whole']), rows: side, columns: side, runs, box: v.pipe(v.tuple([number, number, number, number]), v.check(([left, top, right, bottom]) => right - left > 1e-6 && bottom - top > 1e-6 && Math.abs(left) + Math.abs(top) + right + bottom < 1e9, 'a view of the image has no area')) }),
  v.check(({ rows, columns, runs: of }) => of.reduce((sum, [from, to]) => sum + to - from, 0) === rows * columns && rows * columns <= mostCells, 'a view of the image has other cells than tokens'),
);
const image = v.object({
  path: v.optional(name), sha256: v.optional(name), width: v.pipe(index, v.minValue(1), v.maxValue(65_536)), height: v.pipe(index, v.minValue(1), v.maxValue(65_536)), picture: name, input: name, prepared: text,
  fed: v.tuple([cells, cells]), offset: places, scale: v.tuple([positive, positive]), patches: v.pipe(v.object({ rows: cells, columns: cells, merge: v.optional(v.pipe(whole, v.minValue(1), v.maxValue(64))) }), v.check(({ rows, columns, merge = 1 }) => rows * columns <= mostCells && rows % merge === 0 && columns % merge === 0, 'the patch grid of an image is absurd')), covered: v.tuple([cells, cells]),
  tokens: v.optional(v.pipe(v.object({ id: whole, runs, rows: cells, columns: cells, problem: v.optional(text), views: v.optional(v.pipe(v.array(view), v.minLength(1), v.maxLength(8))) }), v.check(({ rows, columns, runs: of }) => rows * columns <= mostCells && of.length > 0, 'the tokens of an image are absurd'))),
});
const sequence = { text: v.optional(v.string()), ids: list(list(whole)), tokens: list(list(v.string())), spans: list(list(v.nullable(pair))), real: list(list(v.picklist([0, 1]))) };
const next = v.object({ id: whole, token: text, probability: number });
const schema = v.object({
  formatVersion: whole,
  model: v.object({ file: name, path: text, graphHash: name, bytes: index, modified: name, opsets: record(whole), producer: text, nodes: index, dtype: v.optional(name), sha256: v.optional(name), dataFiles: v.optional(list(v.object({ file: name, bytes: index, modified: name }), 10_000)) }),
  created: name,
  input: v.object({ ...sequence, target: v.optional(v.object(sequence)), given: v.optional(index),
    audio: v.optional(v.object({ file: v.optional(text), seconds: v.optional(number), secondsPerPosition: v.optional(number), positions: index })),
    message: v.optional(v.string()), pair: v.optional(v.string()), segments: v.optional(list(list(v.picklist([0, 1])))), special: v.optional(v.object({ start: v.optional(index), unknown: v.optional(index) })), images: v.optional(list(image, 64)) }),
  sites: list(site, 100_000),
  kept: v.optional(v.object({ layers: list(index, 10_000), ofSites: index })),
  masks: record(v.object({ causal: v.boolean(), offset: whole, window: v.nullable(pair), keys: v.nullable(name), bias: v.nullable(name), sink: v.nullable(name), blocks: v.optional(v.object({ tensor: name, size: v.pipe(index, v.minValue(1)), offset: index })) })),
  parity: record(v.object({ maxAbs: v.nullable(number), of: v.picklist(['pattern', 'output', 'none']), rows: index, dtype: v.picklist(['F32', 'F16']), tolerance: number, ok: v.nullable(v.boolean()), why: v.optional(text) })),
  emptyRows: record(index),
  next: list(list(next, 1_000)),
  generated: v.optional(v.object({ from: index, how: v.picklist(['cache', 'again']), stopped: v.picklist(['end', 'length']), steps: list(v.object({ probability: number, alternatives: list(next, 1_000) })),
    sampling: v.optional(v.object({ temperature: number, topK: v.nullable(index), topP: v.nullable(number), seed: whole })) })),
  filledInputs: record(text), device: text, runtime: record(text), timesMs: record(number),
  heads: record(list(head)), health: v.optional(health), expected: v.optional(v.object({ softcap: v.optional(number) })),
  verdicts: list(v.object({ rule: name, level: v.picklist(['info', 'notice', 'warning']), text, evidence: v.looseObject({ threshold: number, value: number, heads: list(name, 1_000_000) }) }), 10_000),
});

/** Throws UserError where the text is no manifest that this version can read. `file` names it in the sentence. */
export function parseManifest(json: string, file: string): Manifest {
  const damaged = (why: string): UserError => new UserError(`The manifest of ${file} is damaged: ${why}.`, 'Trace the model again.');
  let raw: unknown;
  try { raw = JSON.parse(json); } catch { throw damaged('it is not JSON'); }
  const version = typeof raw === 'object' && raw !== null ? (raw as { formatVersion?: unknown }).formatVersion : undefined;
  if (typeof version !== 'number') throw damaged('it has no format version');
  if (Math.floor(version) !== formatVersion) throw new UserError(`${file} has trace format version ${version}; this AttnScope reads version ${formatVersion}.`, 'Update AttnScope, or trace the model again.');
  const result = v.safeParse(schema, raw, { abortEarly: true });
  if (!result.success) throw damaged(issueText(result.issues));
  const names = new Set(result.output.sites.map(each => each.name));
  if (names.size !== result.output.sites.length) throw damaged('two sites have one name');
  return result.output;
}
