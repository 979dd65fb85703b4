/** Every setting there is, as the same `Param` that kernels use, with where it may be set. */
import type { Param, Values } from '../../contract/params.ts';

export type Setting = Param & {
  /** VS Code's scope; `machine-overridable` for what names a place on this machine. */
  readonly scope: 'window' | 'resource' | 'machine-overridable';
  /** Its value from a workspace that is not trusted is not used. */
  readonly restricted?: true;
};

export const settings = {
  'attnscope.engine.node': {
    kind: 'text', default: '', scope: 'machine-overridable', restricted: true,
    label: 'Node.js for the engine',
    help: 'Path of the Node.js (20.19 or newer) that the engine runs on. Empty: the one that comes with AttnScope. Takes effect with **AttnScope: Restart Engine**.',
  },
  'attnscope.device': {
    kind: 'choice', default: 'auto', options: ['auto', 'webgpu', 'cpu'], scope: 'machine-overridable',
    label: 'Where maps are computed',
    help: '`auto`: large maps on the GPU, through WebGPU, where there is one; everything else, and everything without one, on the CPU. Models run on the CPU. Takes effect with **AttnScope: Restart Engine**.',
  },
  'attnscope.traceFolder': {
    kind: 'text', default: '', scope: 'machine-overridable', restricted: true,
    label: 'Folder for traces',
    help: 'Absolute path of the folder that new traces are written to. Empty: the workspace\'s own storage, outside of its files.',
  },
  'attnscope.traceQuota': {
    kind: 'float', default: 5, min: 0, max: 100_000, scope: 'machine-overridable', restricted: true,
    label: 'Room for traces, in GB',
    help: 'Most that traces in the workspace\'s own storage take. After a run the oldest are deleted until they fit; never one that is open or pinned. 0: no limit. In a folder of your own nothing is deleted.',
  },
  'attnscope.largeTrace': {
    kind: 'float', default: 1, min: 0, max: 100_000, scope: 'window',
    label: 'Size of a large trace, in GB',
    help: 'Before a trace that will be larger, AttnScope says what it takes and offers to keep fewer layers or to store float16. It also asks before runs that take long or most of the memory. 0: asks before every run.',
  },
  'attnscope.storedType': {
    kind: 'choice', default: 'auto', options: ['auto', 'fp32', 'fp16'], scope: 'window',
    label: 'Type of stored queries, keys and values',
    help: '`auto` stores float32 up to 1 GB a trace, then float16. Parity is always computed from the stored values.',
  },
  'attnscope.keepPatterns': {
    kind: 'flag', default: false, scope: 'window',
    label: 'Store whole maps',
    help: 'Stores every probability in the trace, tokens × tokens numbers a head, and the weights that linear attention implies. Maps of other attention are shown without it: they are computed from queries and keys.',
  },
  'attnscope.keepResidualStream': {
    kind: 'flag', default: false, scope: 'window',
    label: 'Store the residual stream',
    help: 'Stores the stream before every block, where it is found. The **Grounding** tab then tells sinks of a vision-language model by their massive activations.',
  },
  'attnscope.generatedTokens': {
    kind: 'int', default: 24, min: 1, max: 4_096, scope: 'window',
    label: 'Tokens to generate',
    help: 'How many tokens a model goes on for, where **Trace Attention** is asked to let it. It stops earlier where its text ends. Always the most likely token; the command line samples, too.',
  },
  'attnscope.codeLens': {
    kind: 'flag', default: true, scope: 'window',
    label: 'Lenses over attention classes',
    help: 'Shows **Trace Attention**, and afterwards what was measured, over attention classes in Python.',
  },
  'attnscope.retraceOnChange': {
    kind: 'flag', default: false, scope: 'window', restricted: true,
    label: 'Trace again when a model changes',
    help: 'When the `.onnx` of a trace is written anew, traces it again by itself with the same prompt, once its files have settled. Click the status item to cancel. Never in a workspace that is not trusted.',
  },
} as const satisfies Readonly<Record<`attnscope.${string}`, Setting>>;

export type Settings = Values<typeof settings>;
export type SettingId = keyof Settings;
