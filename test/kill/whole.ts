/** Whether a file is a whole safetensors file with a manifest in it; reads the format itself, not with the product's reader. */
import { readFileSync } from 'node:fs';

/** Why not, as a clause; undefined when it is whole: offsets without gaps up to the last byte, and a manifest that parses and names its sites' tensors. */
export function safetensorsProblem(file: string): string | undefined {
  const bytes = readFileSync(file);
  if (bytes.length < 8) return `it has ${bytes.length} bytes`;
  const length = Number(bytes.readBigUInt64LE(0));
  if (8 + length > bytes.length) return `its header would have ${length} bytes, and the file has ${bytes.length}`;
  let header: Readonly<Record<string, { readonly data_offsets?: readonly [number, number]; readonly attnscope?: string }>>;
  try { header = JSON.parse(bytes.toString('utf8', 8, 8 + length)); } catch (error) { return `its header does not parse: ${String(error)}`; }
  const spans = Object.entries(header).filter(([name]) => name !== '__metadata__').map(([, { data_offsets }]) => data_offsets!).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let end = 0;
  for (const [from, to] of spans) { if (from !== end) return `bytes ${end} to ${from} belong to no tensor`; end = to; }
  if (8 + length + end !== bytes.length) return `its tensors end at ${8 + length + end}, and the file at ${bytes.length}`;
  const text = header['__metadata__']?.attnscope;
  if (text === undefined) return 'it has no manifest';
  const manifest = JSON.parse(text) as { sites: readonly { name: string }[]; parity: Readonly<Record<string, { ok: boolean | null }>> };
  const lacking = manifest.sites.find(({ name }) => !(`${name}.hook_q` in header) || !(`${name}.stats.lse` in header) || manifest.parity[name]?.ok !== true);
  return lacking && `${lacking.name} is not complete`;
}
