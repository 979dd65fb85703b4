/** onnxruntime: a session over a skeleton, one run, and its failures as sentences. */
import * as ort from 'onnxruntime-node';
import { UserError } from '../../../contract/errors.ts';
import type { Model } from '../../onnx/model.ts';
import { basename } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Feed, FeedData } from '../inputs/feeds.ts';
import { keepHalvesAsBits } from './half-tensors.ts';
import type { SitePlan } from '../../sites/site-plan.ts';
import { own } from '../../onnx/graph-builder.ts';
import { unsupported } from './unsupported.ts';

keepHalvesAsBits();

/** onnxruntime reads this before its first session: operator sets beyond the last release (27: LinearAttention) are taken as well. */
process.env['ALLOW_RELEASED_ONNX_OPSET_ONLY'] ??= '0';

/** Tensors of a run; taking one gives it away, so that its memory can go. */
export interface Fetched { take(output: string): FetchedTensor }
export interface FetchedTensor { readonly type: string; readonly dims: readonly number[]; readonly data: FeedData }

/** An output and its shape, where that is known before the run. */
export interface Place { readonly output: string; readonly type: 'F32' | 'F16' | 'I64' | 'U8'; readonly dims: readonly number[] }

export interface RunOptions { readonly placed?: { readonly places: readonly Place[]; readonly stop: string }; readonly also?: readonly string[]; /** Inputs and outputs that are one buffer. */ readonly shared?: NonNullable<SitePlan['shared']>; /** The outputs to fetch, instead of all of ours. */ readonly only?: readonly string[] }

export class Runtime {
  readonly #session: ort.InferenceSession;
  private constructor(session: ort.InferenceSession) { this.#session = session; }

  /** `skeleton` finds its weights in `model.dataFolder`. Errors: `UserError` with onnxruntime's own reason. */
  static async create(skeleton: Uint8Array, model: Model): Promise<Runtime> {
    const options: ort.InferenceSession.SessionOptions = {
      graphOptimizationLevel: 'basic', logSeverityLevel: 4, executionProviders: ['cpu'],
      // A memory pattern plans all layers' probabilities at once: 0.8 GB more at 2,048 tokens.
      enableMemPattern: false,
      extra: { session: { model_external_initializers_file_folder_path: model.dataFolder } },
    };
    try { return new Runtime(await ort.InferenceSession.create(skeleton, options)); }
    catch (error) { throw refusal(model, 'cannot be opened by onnxruntime', error); }
  }

  /**
   * Runs once; fetches our own outputs, and those named by `also` (or `only` some). Where all their shapes are known beforehand, `placed` says them, and onnxruntime writes them
   * where they stay. Its binding (1.30) would still copy every output when the run returns, 5 to 10 % of the time and as much memory as the
   * outputs themselves; `stop`, first in line and a sequence, which it cannot hand over, ends the return before the first copy. A binding
   * that returns all the same has filled the same places.
   */
  async run(feeds: Readonly<Record<string, Feed>>, model: Model, { placed, only, also = [], shared = [] }: RunOptions = {}): Promise<Fetched> {
    const given: Record<string, ort.Tensor> = {};
    for (const name of this.#session.inputNames) {
      const feed = feeds[name];
      if (feed) given[name] = new ort.Tensor(feed.type as 'float32', feed.data as Float32Array, feed.dims as number[]);
    }
    const bound = Object.fromEntries(shared.flatMap(({ input, output }) => (given[input] ? [[output, given[input]]] : [])));
    let results: Record<string, ort.Tensor>;
    if (placed) {
      results = Object.fromEntries(placed.places.map(place => [place.output, emptyTensor(place)]));
      try { await this.#session.run(given, { ...results, ...bound, [placed.stop]: null }); } catch (error) {
        // A graph that does not keep to its declared shapes, or another failure: once more, and let it say which.
        if (!/Non tensor type/.test(String(error))) return this.run(feeds, model, { also, shared });
      }
    } else {
      const names = only ?? this.#session.outputNames.filter((name, i) => (name.startsWith(own) || also.includes(name)) && this.#session.outputMetadata[i].isTensor);
      try { results = await this.#session.run(given, { ...Object.fromEntries(names.map(name => [name, null])), ...bound }) as Record<string, ort.Tensor>; } catch (error) { throw refusal(model, 'failed while it ran in onnxruntime', error); }
    }
    return {
      take: output => {
        const tensor = results[output];
        if (!tensor) throw new Error(`The run has no output ${output}.`);
        delete results[output];
        return { type: tensor.type, dims: tensor.dims, data: tensor.data as FeedData };
      },
    };
  }

  async release(): Promise<void> { await this.#session.release(); }
}

function emptyTensor({ type, dims }: Place): ort.Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  switch (type) {
    case 'F32': return new ort.Tensor('float32', new Float32Array(count), dims);
    case 'F16': return new ort.Tensor('float16', new Uint16Array(count), dims);
    case 'I64': return new ort.Tensor('int64', new BigInt64Array(count), dims);
    case 'U8': return new ort.Tensor('uint8', new Uint8Array(count), dims);
  }
}

/** Gives the memory of fetched tensors back now: V8 does not hurry, and the next run would come on top of the last one's outputs. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

export function runtimeVersions(): Record<string, string> {
  return { onnxruntime: ort.env.versions.node ?? ort.env.versions.common, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
}

const mostMessage = 4000;

function refusal(model: Model, what: string, error: unknown): UserError {
  // A name in the file may be of any length, and the patterns below would go over it again from every slash.
  const message = (error instanceof Error ? error.message : String(error)).slice(0, mostMessage);
  return unsupported(model, message) ?? new UserError(`${basename(model.path)} ${what}: ${shortReason(message)}.`, 'Export the model again, or check it with onnx.checker.');
}

/** onnxruntime's reason without its source paths, stack and boilerplate, one line. */
export function shortReason(message: string): string {
  const line = message.split(/\n(?:Stacktrace|\s+at )/)[0].replace(/\s+/g, ' ')
    .replace(/Non-zero status code returned while running (\S+) node\. Name:'([^']*)' Status Message: /, '$1 "$2": ')
    .replace(/(?:\/|[A-Z]:\\)\S*\.(?:cc|h|cpp):\d+ (?:[^()]*\([^()]*\)(?: const)?(?: \[with [^\]]*\])? )?/g, '')
    .replace(/^\[ONNXRuntimeError\] : \d+ : \w+ : /, '').replaceAll(own, '').trim().replace(/\.$/, '');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
