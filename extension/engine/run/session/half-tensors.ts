/** 16-bit floats as bits, whether the JavaScript that the engine runs on has a type for them or not. */
import * as ort from 'onnxruntime-node';

/**
 * Where there is a Float16Array (Node 24), onnxruntime's JavaScript wraps 16-bit floats in it, and its binding (1.30) sees no bytes there:
 * inputs are refused ("not enough space"), outputs are not written in place. It looks for the type once, at the first tensor of a process;
 * that one is made here, with the type out of sight.
 */
export function keepHalvesAsBits(): void {
  const type = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  delete (globalThis as { Float16Array?: unknown }).Float16Array;
  try { new ort.Tensor('float32', new Float32Array(1), [1]); } finally { if (type) Object.defineProperty(globalThis, 'Float16Array', type); }
}
