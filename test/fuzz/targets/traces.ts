/** Trace files, and tensors given as inputs: opened, summed up, and looked at. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { breakBytes, type Dice } from '../mutate.ts';
import { breakJson } from '../mutate-json.ts';
import { zooCases } from '../../zoo/cases.ts';
import type { Target } from '../target.ts';

/** A safetensors file: its header as JSON, or its bytes; a trace's manifest lies as text in the header. */
function breakSafetensors(bytes: Buffer, dice: Dice): { readonly how: string; readonly bytes: Buffer } {
  const length = Number(bytes.readBigUInt64LE(0)), header = bytes.subarray(8, 8 + length), rest = bytes.subarray(8 + length);
  if (dice() < 0.3) return breakBytes(bytes, dice);
  const parsed = JSON.parse(header.toString('utf8')) as { readonly __metadata__?: Record<string, string> }, manifest = parsed.__metadata__?.['attnscope'];
  const inside = manifest !== undefined && dice() < 0.6, { how, bytes: broken } = breakJson(inside ? Buffer.from(manifest) : header, dice);
  const text = inside ? Buffer.from(JSON.stringify({ ...parsed, __metadata__: { ...parsed.__metadata__, attnscope: broken.toString('utf8') } })) : broken, size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return { how: `${inside ? 'manifest' : 'header'} ${how}`, bytes: Buffer.concat([size, text, rest]) };
}

/** `whole`: whole traces, made before: of a text, and of a text with an image. */
export function traces(whole: readonly string[]): Target {
  return {
    name: 'traces', share: 5, seeds: whole.map(file => ({ bytes: readFileSync(file) })), mutate: breakSafetensors, file: 'broken.attntrace', prepare: () => undefined,
    use: async (engine, folder) => {
      const analysis = await engine.analysis(), file = join(folder, 'broken.attntrace');
      await analysis.summaries({ files: [file] });
      const { trace, manifest } = await analysis.open({ file });
      try {
        for (const { name, heads } of manifest.sites.slice(0, 2)) {
          const of = { trace, site: name, batch: 0, head: Math.max(0, (heads ?? 1) - 1) };
          await analysis.thumbnails({ trace, site: name });
          await analysis.rows(of);
          await analysis.tile({ ...of, rows: [0, 12], cols: [0, 12], height: 12, width: 12, of: 'prob', reduce: 'mean' });
        }
        const image = manifest.input.images?.[0], tokens = manifest.sites.filter(({ stack }) => stack === 'main').map(({ name }) => name), patches = manifest.sites.filter(({ stack }) => stack === 'vision').map(({ name }) => name);
        if (image) {
          await analysis.picture({ trace, picture: image.picture });
          await analysis.look({ trace, batch: 0, sites: tokens, of: { row: 20 }, withoutSinks: true, sinks: 'state', view: 'sum' });
          if (patches.length) await analysis.look({ trace, batch: 0, sites: patches, of: { cell: 5 }, withoutSinks: true });
        }
        await analysis.diff({ a: trace, b: trace });
      } finally { await analysis.close({ trace }); }
    },
  };
}

const given = zooCases().find(({ file }) => /gpt2[\\/]eager-ts/.test(file))!.file;

export const inputs: Target = {
  name: 'inputs', share: 1, seeds: [{ bytes: readFileSync(resolve(given, '../reference.safetensors')) }], mutate: breakSafetensors, file: 'inputs.safetensors', prepare: () => undefined,
  use: async (engine, folder) => { await engine.weigh({ model: given, prompt: { kind: 'tensors', file: join(folder, 'inputs.safetensors') }, out: join(folder, 'out.attntrace') }); },
};
