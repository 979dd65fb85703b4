/** `attnscope trace`: runs a model once and writes a trace. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Progress, Prompt, TraceRequest } from '../../../contract/api.ts';
import { Cancelled, UserError } from '../../../contract/errors.ts';
import { layersText, parseLayers } from '../../../contract/layers.ts';
import type { Manifest, TokenSequence, TraceInput } from '../../../contract/trace.ts';
import { Engine } from '../../../children/engine.ts';
import { readFolder } from '../../folder/folder.ts';
import { discardCapture } from '../../trace/part-writer.ts';
import { runJob } from '../job.ts';
import { UsageError, modelPath, table, type Arguments, type Command } from './command.ts';

const keeps = ['q', 'k', 'v', 'z', 'pattern', 'resid'];
const mostPrompt = 16 * 2 ** 20;

export const trace: Command = {
  usage: 'trace MODEL [--file NAME.onnx] --out FILE.attntrace (--prompt TEXT [--pair TEXT | --chat] | --prompt-file F | --ids 1,2,3 | --inputs F.safetensors | --audio F.wav [--language CODE] [--task transcribe|translate]) [--image F.png] [--generate N [--sample [--temperature T] [--top-k K] [--top-p P] [--seed S]]] [--keep q,k,v,z,pattern,resid] [--layers 0-3,10] [--dtype auto|fp16|fp32] [--device auto|cpu] [--json]',
  options: {
    file: { type: 'string' }, out: { type: 'string' }, prompt: { type: 'string' }, pair: { type: 'string' }, chat: { type: 'boolean' }, 'prompt-file': { type: 'string' }, ids: { type: 'string' }, inputs: { type: 'string' }, image: { type: 'string' }, audio: { type: 'string' }, language: { type: 'string' }, task: { type: 'string' },
    generate: { type: 'string' }, sample: { type: 'boolean' }, temperature: { type: 'string' }, 'top-k': { type: 'string' }, 'top-p': { type: 'string' }, seed: { type: 'string' }, keep: { type: 'string' }, layers: { type: 'string' }, dtype: { type: 'string' }, device: { type: 'string' }, json: { type: 'boolean' },
  },
  run: async (args, terminal) => {
    const request = requestOf(args), phases = (progress: Progress): void => terminal.status(`${words[progress.phase]}${progress.total ? ` ${progress.done} of ${progress.total}` : ''} …`);
    const here = dirname(fileURLToPath(import.meta.url));
    const engine = new Engine({ scripts: { runner: join(here, 'runner.js'), analysis: join(here, 'analysis.js') } });
    let result: { readonly file: string; readonly manifest: Manifest };
    try {
      const captured = await engine.capture(request, { signal: terminal.signal, onProgress: phases });
      await engine.dispose();
      result = await runJob({ kind: 'complete', captured }, { signal: terminal.signal, onProgress: value => phases(value as Progress) }) as typeof result;
    } catch (error) {
      await engine.dispose();
      discardCapture(request.out);
      throw terminal.signal.aborted ? new Cancelled() : error;
    }
    terminal.status(undefined);
    const { file, manifest } = result;
    const { heads: _, masks: __, ...shown } = manifest;
    terminal.out(args.flag('json') ? JSON.stringify({ file, ...shown }) : summary(file, manifest, choiceOf(request.model)));
  },
};

const words: Readonly<Record<Progress['phase'], string>> = { open: 'Opening', session: 'Preparing', run: 'Running', generate: 'Generating', statistics: 'Statistics', write: 'Writing' };

function requestOf(args: Arguments): TraceRequest {
  const model = modelPath(args), out = args.text('out'), prompt = promptOf(args);
  if (!out) throw new UsageError('--out FILE.attntrace is missing.');
  const kept = args.text('keep')?.split(',').map(part => part.trim()).filter(Boolean) ?? [];
  const unknown = kept.find(part => !keeps.includes(part));
  if (unknown) throw new UsageError(`--keep takes ${keeps.join(', ')}; found "${unknown}".`);
  const asked = args.text('layers'), layers = asked === undefined ? undefined : parseLayers(asked);
  if (asked !== undefined && !layers) throw new UsageError(`--layers takes numbers and ranges, as 0-3,10; found "${asked.slice(0, 40)}".`);
  const dtype = args.choice('dtype', ['auto', 'fp16', 'fp32']), device = args.choice('device', ['auto', 'cpu', 'webgpu']);
  if (device === 'webgpu') throw new UserError('This version runs models on the CPU only.', 'Leave --device out.');
  const count = args.text('generate'), generate = count === undefined ? undefined : Number(count);
  if (count !== undefined && !/^\d{1,6}$/.test(count)) throw new UsageError(`--generate takes a whole number; found "${count.slice(0, 40)}".`);
  return { model, prompt, out: resolve(out), keep: { pattern: kept.includes('pattern'), z: kept.includes('z'), resid: kept.includes('resid'), ...(layers ? { layers } : {}) }, ...(dtype ? { dtype } : {}), ...(generate === undefined ? {} : { generate }), ...sampleOf(args, generate) };
}

function sampleOf(args: Arguments, generate: number | undefined): Pick<TraceRequest, 'sample'> {
  const given = ['temperature', 'top-k', 'top-p', 'seed'].filter(name => args.text(name) !== undefined);
  if (!args.flag('sample')) { if (given.length) throw new UsageError(`--${given[0]} goes with --sample.`); return {}; }
  if (!generate) throw new UsageError('--sample goes with --generate N.');
  const temperature = number(args, 'temperature', value => value > 0), topK = args.count('top-k'), topP = number(args, 'top-p', value => value > 0 && value <= 1), seed = args.count('seed');
  if (topK === 0) throw new UsageError('--top-k must be at least 1.');
  return { sample: { ...(temperature === undefined ? {} : { temperature }), ...(topK === undefined ? {} : { topK }), ...(topP === undefined ? {} : { topP }), ...(seed === undefined ? {} : { seed }) } };
}

function number(args: Arguments, name: string, good: (value: number) => boolean): number | undefined {
  const text = args.text(name), value = Number(text);
  if (text !== undefined && !(text.trim() !== '' && Number.isFinite(value) && good(value))) throw new UsageError(`--${name} takes a number above 0${name === 'top-p' ? ' and at most 1' : ''}; found "${text.slice(0, 40)}".`);
  return text === undefined ? undefined : value;
}

function promptOf(args: Arguments): Prompt {
  const given = ['prompt', 'prompt-file', 'ids', 'inputs', 'audio'].filter(name => args.text(name) !== undefined), file = args.text('image'), image = file === undefined ? {} : { image: resolve(file) };
  if (!given.length && image.image !== undefined) return { kind: 'image', image: image.image };
  if (given.length !== 1) throw new UsageError(given.length ? `Only one of ${given.map(name => `--${name}`).join(', ')} can be given.` : 'One of --prompt, --prompt-file, --ids, --inputs, --audio and --image is needed.');
  const value = args.text(given[0])!, pair = args.text('pair');
  if (pair !== undefined && !given[0].startsWith('prompt')) throw new UsageError('--pair is the second text of --prompt or --prompt-file.');
  if (args.flag('chat') && (pair !== undefined || !given[0].startsWith('prompt'))) throw new UsageError('--chat goes with --prompt or --prompt-file alone.');
  const second = { ...(pair === undefined ? {} : { pair }), ...(args.flag('chat') ? { chat: true as const } : {}) };
  if (given[0] !== 'audio' && (args.text('language') ?? args.text('task')) !== undefined) throw new UsageError('--language and --task go with --audio.');
  switch (given[0]) {
    case 'audio': { const language = args.text('language'), task = args.choice('task', ['transcribe', 'translate']); return { kind: 'audio', file: resolve(value), ...(language === undefined ? {} : { language }), ...(task ? { task } : {}) }; }
    case 'prompt': return { kind: 'text', text: value, ...second, ...image };
    case 'prompt-file': return { kind: 'text', text: readPromptFile(resolve(value)), ...second, ...image };
    case 'inputs': return { kind: 'tensors', file: resolve(value), ...image };
    default: {
      const parts = value.split(',').map(part => part.trim()).filter(Boolean);
      if (!parts.length) throw new UserError('The prompt has no tokens.', 'Give at least one token id.');
      const wrong = parts.find(part => !/^\d{1,15}$/.test(part));
      if (wrong !== undefined) throw new UsageError(`--ids takes whole numbers separated by commas; found "${wrong.slice(0, 40)}".`);
      return { kind: 'ids', ids: parts.map(Number), ...image };
    }
  }
}

function readPromptFile(file: string): string {
  let bytes: Buffer;
  try { bytes = readFileSync(file); } catch (error) { throw new UserError(`The prompt file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`, 'Check its path.'); }
  if (bytes.length > mostPrompt) throw new UserError(`The prompt file ${file} is ${bytes.length} bytes long; at most ${mostPrompt} are read.`, 'Use a shorter prompt.');
  return bytes.toString('utf8').replace(/^\ufeff/, '');
}

/** What was read and, of a sequence-to-sequence model, what was said. */
function inputLines(input: TraceInput): (readonly string[])[] {
  const { audio, target, given } = input, said = target ?? (audio ? input : undefined), own = said || given === undefined ? [] : [['generated', `${input.ids[0].length - given} tokens: ${JSON.stringify(input.tokens[0].slice(given).join(''))}`]], sizes = (of: TokenSequence): string => `${of.ids.length} × ${of.ids[0]?.length ?? 0} tokens`;
  const heard = audio ? `${audio.file ?? 'features'}: ${audio.seconds === undefined ? '' : `${audio.seconds.toFixed(1)} s, `}${audio.positions} positions${audio.secondsPerPosition === undefined ? '' : ` of ${Math.round(audio.secondsPerPosition * 1000)} ms`}` : sizes(input);
  return [['input', heard], ...own, ...(said ? [['decoder', `${sizes(said)}${said.ids.length === 1 && (given ?? 0) < said.ids[0].length ? `: ${said.tokens[0].slice(given ?? 0).join('').trim()}` : ''}`]] : [])];
}

/** Which weight file a folder stood for, where it has several of that part. */
function choiceOf(path: string): readonly (readonly string[])[] {
  const { chosen, others, files } = readFolder(path);
  if (!chosen || chosen.path === path || files.length < 2) return [];
  const more = others.map(file => file.name);
  return [['model', `${chosen.name}${more.length ? `, the default; --file names another: ${more.slice(0, 6).join(', ')}${more.length > 6 ? ', …' : ''}` : ''}`]];
}

function summary(file: string, manifest: Manifest, choice: readonly (readonly string[])[]): string {
  const parities = Object.values(manifest.parity), worst = Math.max(0, ...parities.map(parity => parity.maxAbs ?? 0)), failed = parities.filter(parity => parity.ok === false).length;
  const alike = new Map<string, string[]>();
  for (const [name, how] of Object.entries(manifest.filledInputs)) alike.set(how, [...alike.get(how) ?? [], name]);
  const filled = [...alike].map(([how, [name, ...more]]) => ['filled', `${name}${more.length ? ` and ${more.length} more` : ''}: ${how}`]);
  const next = manifest.next.map((tokens, b) => [`next${manifest.next.length > 1 ? ` [${b}]` : ''}`, tokens.map(({ token, probability }) => `${JSON.stringify(token)} ${(probability * 100).toFixed(1)} %`).join('  ')]);
  return table([
    ['trace', file], ...choice, ...inputLines(manifest.input), ...(manifest.input.images ?? []).slice(0, 1).map(({ prepared, patches }) => ['image', `${prepared}, ${patches.rows} × ${patches.columns} patches`]),
    ['sites', manifest.kept ? `${manifest.sites.length} of ${manifest.kept.ofSites} (layers ${layersText(manifest.kept.layers)})` : `${manifest.sites.length}`], ['parity', failed ? `${failed} of ${parities.length} sites FAILED (worst ${worst.toExponential(1)})` : `worst ${worst.toExponential(1)}`],
    ...filled, ...next, ...manifest.verdicts.map(verdict => [verdict.level, verdict.text]),
  ]);
}
