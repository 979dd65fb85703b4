/** WGSL files as they are compiled: includes expanded, and the fields of their uniform structs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ShaderText {
  readonly text: string;
  /** How each binding is used, in order. */
  readonly bindings: readonly ('uniform' | 'read-only-storage' | 'storage')[];
  /** Uniform structs in the order of their bindings: name and type of each field, four bytes apiece. */
  readonly uniforms: readonly (readonly (readonly [name: string, type: string])[])[];
}

const known = new Map<string, ShaderText>();

/** `folder`: the shaders; `file` is relative to it. `#include "FILE"` alone on a line is the only directive; a file is taken once. What WGSL wants on top (`enable`, `diagnostic`) goes there. */
export function shaderText(folder: string, file: string): ShaderText {
  const key = join(folder, file), found = known.get(key);
  if (found) return found;
  const seen = new Set<string>(), enables: string[] = [];
  const expand = (name: string): string => {
    if (seen.has(name)) return '';
    seen.add(name);
    return readFileSync(join(folder, name), 'utf8').split('\n').map(line => {
      if (/^(enable|diagnostic)\b/.test(line)) { enables.push(line); return ''; }
      const include = /^#include "([\w./-]+\.wgsl)"$/.exec(line);
      return include ? expand(include[1]) : line;
    }).join('\n');
  };
  const body = expand(file), text = [...enables, body].join('\n');
  const declared = [...text.matchAll(/@binding\((\d+)\)\s*var<(uniform|storage, read|storage, read_write)>\s*\w+\s*:\s*(\w+)/g)].sort((a, b) => Number(a[1]) - Number(b[1]));
  declared.forEach((match, n) => { if (Number(match[1]) !== n) throw new Error(`${file} has no binding ${n}.`); });
  const made: ShaderText = {
    text, bindings: declared.map(([, , as]) => (as === 'uniform' ? 'uniform' : as === 'storage, read' ? 'read-only-storage' : 'storage')),
    uniforms: declared.filter(([, , as]) => as === 'uniform').map(match => fieldsOf(text, match[3], file)),
  };
  known.set(key, made);
  return made;
}

function fieldsOf(text: string, struct: string, file: string): readonly (readonly [string, string])[] {
  const body = new RegExp(`struct ${struct}\\s*\\{([^}]*)\\}`).exec(text)?.[1];
  if (body === undefined) throw new Error(`${file} has no struct ${struct}.`);
  return body.split('\n').map(line => line.replace(/\/\/.*/, '').trim()).join(' ').split(',').map(field => field.trim()).filter(Boolean).map(field => {
    const match = /^(\w+)\s*:\s*(u32|i32|f32)$/.exec(field);
    if (!match) throw new Error(`${file}: the uniform field “${field}” is no u32, i32 or f32.`);
    return [match[1], match[2]] as const;
  });
}

/** The bytes of a uniform struct; every field must be given, and nothing else. */
export function uniformBytes(fields: ShaderText['uniforms'][number], values: Readonly<Record<string, number>>, file: string): ArrayBuffer {
  const extra = Object.keys(values).find(name => !fields.some(([field]) => field === name));
  if (extra !== undefined) throw new Error(`${file} has no uniform ${extra}.`);
  const bytes = new ArrayBuffer(Math.max(16, Math.ceil(fields.length / 4) * 16)), view = new DataView(bytes);
  fields.forEach(([name, type], n) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${file}: the uniform ${name} is not given.`);
    if (type === 'f32') view.setFloat32(4 * n, value, true); else if (type === 'i32') view.setInt32(4 * n, value, true); else view.setUint32(4 * n, value, true);
  });
  return bytes;
}
