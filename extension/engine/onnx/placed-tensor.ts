/** TensorProtos for graphs in memory: the payload of a big tensor stays where it is in the user's file, and the tensor says where. */
import { realpathSync } from 'node:fs';
import { relative } from 'node:path';
import { encodePlace } from './build.ts';
import { Pieces } from './encode.ts';
import type { Document, Field, Model } from './model.ts';

export interface Placing {
  readonly model: Model;
  /** The model file, relative to its data folder. */
  readonly location: string;
  /** External places stay as the file has them: for graphs that are opened by us again. */
  readonly verbatim?: boolean;
}

/** How tensors name the model file itself; '' where all of it is in memory. */
export function ownLocation(model: Model): string {
  if (!model.document.holes.length) return '';
  return relative(model.dataFolder, realpathSync(model.path)).replaceAll('\\', '/');
}

/**
 * TensorProto as it is, or with its skipped payload replaced by its place; external places are made relative to the data folder, unless they
 * are to be kept as the file has them. `name` goes before its own.
 */
export function placedTensor(placing: Placing, message: Field, name?: string): Pieces {
  const { model } = placing, { document } = model, out = new Pieces();
  let place: { location: string; offset: number; length: number } | undefined;
  const external = new Map<string, string>();
  document.scan(message.at, message.end, field => {
    if (hasHole(document, field.at, field.end)) place = { location: placing.location, offset: field.at, length: field.end - field.at };
    else if (field.number === 13) readEntry(document, field, external);
    else if (field.number === 8 && name !== undefined) return;
    else if (field.number !== 14) out.raw(document.bytes(field.start, field.end));
  });
  if (name !== undefined) out.text(8, name);
  if (place) return encodePlace(out, place);
  const location = external.get('location');
  if (location === undefined) return name === undefined ? new Pieces().raw(document.bytes(message.at, message.end)) : out;
  const real = placing.verbatim ? undefined : model.dataFiles.get(location);
  for (const [key, value] of external) {
    if (key === 'checksum') continue;
    out.message(13, new Pieces().text(1, key).text(2, key === 'location' && real !== undefined ? relative(model.dataFolder, real).replaceAll('\\', '/') : value));
  }
  return out.varint(14, 1);
}

/** StringStringEntryProto. */
function readEntry(document: Document, message: Field, into: Map<string, string>): void {
  let key = '', value = '';
  document.scan(message.at, message.end, field => {
    if (field.number === 1) key = decoder.decode(document.bytes(field.at, field.end));
    else if (field.number === 2) value = decoder.decode(document.bytes(field.at, field.end));
  });
  into.set(key, value);
}

const decoder = new TextDecoder();

/** The `value` of a Constant, given its NodeProto. */
export function tensorOfConstant(document: Document, message: Field): Field {
  let tensor: Field | undefined;
  document.scan(message.at, message.end, field => {
    if (field.number === 5) document.scan(field.at, field.end, part => { if (part.number === 5) tensor = part; });
  });
  return tensor!;
}

/** Whether [start, end) of the file holds a payload that was not read. */
export function hasHole(document: Document, start: number, end: number): boolean {
  const { holes } = document;
  let low = 0, high = holes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holes[middle][0] < start) low = middle + 1; else high = middle;
  }
  return low < holes.length && holes[low][0] < end;
}
