/** Nodes and functions as they lie in the file: their names, and where the rest of them is. */
import type { Document, Field } from './model.ts';
import { wire } from './wire.ts';

export interface RawNode {
  readonly field: Field;
  readonly name: string;
  /** `domain:op`, and `:overload` where there is one. */
  readonly key: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Field>;
  readonly metadata: readonly Field[];
  /** It has graphs inside. */
  readonly nests: boolean;
}

export interface FunctionBody {
  readonly key: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Attributes with default values. */
  readonly defaults: ReadonlyMap<string, Field>;
  readonly nodes: readonly Field[];
  readonly opsets: ReadonlyMap<string, number>;
}

export function readRawNode(document: Document, message: Field): RawNode {
  const inputs: string[] = [], outputs: string[] = [], attributes = new Map<string, Field>(), metadata: Field[] = [];
  let name = '', op = '', domain = '', overload = '', nests = false;
  document.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    switch (field.number) {
      case 1: inputs.push(text(document, field)); break;
      case 2: outputs.push(text(document, field)); break;
      case 3: name = text(document, field); break;
      case 4: op = text(document, field); break;
      case 5: {
        const attribute = readName(document, field);
        attributes.set(attribute.name, field);
        nests ||= attribute.nests;
        break;
      }
      case 7: domain = text(document, field); break;
      case 8: overload = text(document, field); break;
      case 9: metadata.push(field); break;
      default: break;
    }
  });
  return { field: message, name, key: functionKey(domain, op, overload), inputs, outputs, attributes, metadata, nests };
}

export function readFunctionBody(document: Document, message: Field): FunctionBody {
  const inputs: string[] = [], outputs: string[] = [], defaults = new Map<string, Field>(), nodes: Field[] = [], opsets = new Map<string, number>();
  let name = '', domain = '', overload = '';
  document.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    switch (field.number) {
      case 1: name = text(document, field); break;
      case 4: inputs.push(text(document, field)); break;
      case 5: outputs.push(text(document, field)); break;
      case 7: nodes.push(field); break;
      case 9: readOpset(document, field, opsets); break;
      case 10: domain = text(document, field); break;
      case 11: defaults.set(readName(document, field).name, field); break;
      case 13: overload = text(document, field); break;
      default: break;
    }
  });
  return { key: functionKey(domain, name, overload), name, inputs, outputs, defaults, nodes, opsets };
}

/** What names a function: its domain, its name, and its overload where it has one. */
export function functionKey(domain: string, name: string, overload = ''): string { return `${domain === 'ai.onnx' ? '' : domain}:${name}${overload && `:${overload}`}`; }

/** OperatorSetIdProto. */
function readOpset(document: Document, message: Field, into: Map<string, number>): void {
  let domain = '', version = 0;
  document.scan(message.at, message.end, field => {
    if (field.number === 1 && field.wire === wire.bytes) domain = text(document, field);
    else if (field.number === 2 && field.wire === wire.varint) version = field.value;
  });
  into.set(domain === 'ai.onnx' ? '' : domain, version);
}

/** Name of an AttributeProto, and whether it holds graphs. */
function readName(document: Document, message: Field): { readonly name: string; readonly nests: boolean } {
  let name = '', nests = false;
  document.scan(message.at, message.end, field => {
    if (field.wire !== wire.bytes) return;
    if (field.number === 1) name = text(document, field);
    else if (field.number === 6 || field.number === 11) nests = true;
  });
  return { name, nests };
}

const decoder = new TextDecoder();
function text(document: Document, field: Field): string { return decoder.decode(document.bytes(field.at, field.end)); }
