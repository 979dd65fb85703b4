/** Tensors of 16-bit floats where the JavaScript has a Float16Array, as the Node of the extension does and the one of the tests may not. */
import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';

it('hold their bits, and the type stays where it was', async () => {
  class Float16Array extends Uint16Array {}
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array'), own = before ?? { value: Float16Array, writable: true, enumerable: false, configurable: true };
  Object.defineProperty(globalThis, 'Float16Array', own);
  try {
    await import('../../../extension/engine/run/session/runtime.ts');
    expect(Object.getOwnPropertyDescriptor(globalThis, 'Float16Array')).toEqual(own);
    const bits = Uint16Array.of(0x3c00, 0xc000), tensor = new ort.Tensor('float16', bits, [2]);
    expect((tensor.data as unknown as Uint16Array).constructor).toBe(Uint16Array);
    expect([...tensor.data as unknown as Uint16Array]).toEqual([0x3c00, 0xc000]);
  } finally { if (!before) delete (globalThis as { Float16Array?: unknown }).Float16Array; }
});
