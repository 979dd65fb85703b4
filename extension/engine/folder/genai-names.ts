/** What genai_config.json of onnxruntime-genai calls the inputs and outputs of a graph, and what they are called elsewhere. */
import { basename } from 'node:path';
import { jsonBeside } from './beside.ts';

/** The usual name of an input or output, as optimum and transformers.js have it; a name that nobody defines is its own. */
export type UsualName = (name: string) => string;

const same: UsualName = name => name;

/** Templates with a layer's number (`%d`) → the usual name of that layer's. */
const templates: Readonly<Record<string, string>> = {
  past_key_names: 'past_key_values.%d.key', past_value_names: 'past_key_values.%d.value', past_names: 'past_%d',
  present_key_names: 'present.%d.key', present_value_names: 'present.%d.value', present_names: 'present_%d',
};
const mostNames = 100, longest = 1_000;

/** Of the graph in `modelFile`, where a part of genai_config.json names that file. A damaged file is told of when a name is asked for. */
export function readUsualNames(modelFile: string): UsualName {
  let config: Record<string, unknown> | undefined;
  try { config = jsonBeside(modelFile, 'genai_config.json'); } catch (error) { return () => { throw error; }; }
  const part = Object.values(record(config?.model)).map(record).find(one => one['filename'] === basename(modelFile));
  if (!part) return same;
  const fixed = new Map<string, string>(), numbered: { readonly start: string; readonly end: string; readonly usual: string }[] = [];
  for (const [key, name] of [...Object.entries(record(part['inputs'])), ...Object.entries(record(part['outputs']))].slice(0, mostNames)) {
    if (typeof name !== 'string' || !name || name.length > longest) continue;
    const usual = templates[key], at = name.indexOf('%d');
    if (usual === undefined) fixed.set(name, key); else if (at >= 0) numbered.push({ start: name.slice(0, at), end: name.slice(at + 2), usual });
  }
  return name => {
    const known = fixed.get(name);
    if (known !== undefined) return known;
    for (const { start, end, usual } of numbered) {
      const layer = name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end) ? name.slice(start.length, name.length - end.length) : '';
      if (/^\d{1,6}$/.test(layer)) return usual.replace('%d', layer);
    }
    return name;
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> { return typeof value === 'object' && value !== null ? value as Readonly<Record<string, unknown>> : {}; }
