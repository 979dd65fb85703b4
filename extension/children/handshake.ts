/** The first thing a child says, in plain text so that any two versions of Node understand it, and what can be wrong with it. */
import { deserialize, serialize } from 'node:v8';
import { apiVersion, type Hello } from '../contract/api.ts';

/** Environment variable in which the parent hands over `wireSample()`. */
export const wireVariable = 'ATTNSCOPE_WIRE';

/** What a child prints as its first line on stdout: `Hello`, a sample of its message format, and whether it could read the parent's. */
export interface Greeting extends Hello { readonly wire: string; readonly reads: boolean }

/** A message as this V8 writes it, base64. */
export function wireSample(): string {
  return serialize({ text: 'attnscope', floats: new Float32Array([1, 2.5]), list: [1, undefined, null] }).toString('base64');
}

/** Whether this V8 can read what another one wrote. */
export function readsWire(sample: string): boolean {
  try {
    const value = deserialize(Buffer.from(sample, 'base64')) as { text?: unknown; floats?: unknown };
    return value.text === 'attnscope' && value.floats instanceof Float32Array && value.floats[1] === 2.5;
  } catch { return false; }
}

/** The greeting in a line of text; undefined when it is none. */
export function parseGreeting(line: string): Greeting | undefined {
  try {
    const value = JSON.parse(line) as Partial<Greeting>;
    return typeof value.apiVersion === 'number' && typeof value.wire === 'string' && typeof value.versions?.node === 'string' ? value as Greeting : undefined;
  } catch { return undefined; }
}

/** Why parent and child cannot work together, as a clause; undefined when they can. */
export function misfit(greeting: Greeting, role: Hello['role']): string | undefined {
  if (greeting.apiVersion !== apiVersion) return `it speaks version ${greeting.apiVersion} of the protocol, and version ${apiVersion} is needed`;
  if (greeting.role !== role) return `it is the ${greeting.role}, not the ${role}`;
  if (!greeting.reads || !readsWire(greeting.wire)) return `its Node.js ${greeting.versions.node} (V8 ${greeting.versions.v8}) and this one (${process.versions.node}, V8 ${process.versions.v8}) cannot read each other's messages`;
  return undefined;
}
