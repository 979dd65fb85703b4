/** A run of a small vision-language model whose image is read in two views, as LLaVA-NeXT has them, with its residual stream kept. */
import { cpSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TraceRequest } from '../../extension/contract/api.ts';

const root = resolve(import.meta.dirname, '../..');

/** Makes the model and its inputs in `folder`. The prompt is three tokens, 16 of the image (one of the whole, 3 rows of 4 and a newline), and three more. */
export function tiledImage(folder: string, out: string): TraceRequest {
  const model = join(folder, 'tiled'), inputs = join(folder, 'tiled.safetensors');
  cpSync(join(root, 'test/zoo/folders/llava_multi'), model, { recursive: true });
  writeFileSync(join(model, 'config.json'), JSON.stringify({ model_type: 'llava_next', image_token_index: 96, image_grid_pinpoints: [[24, 32]], vision_config: { image_size: 8, patch_size: 8 }, text_config: { vocab_size: 97, max_position_embeddings: 128 } }));
  writeFileSync(inputs, imageInputs([1, 2, 3, ...new Array<number>(16).fill(96), 5, 6, 7]));
  return { model, prompt: { kind: 'tensors', file: inputs, image: join(root, 'test/unit/images/fixtures/scene.png') }, out, keep: { resid: true }, dtype: 'fp32' };
}

/** A safetensors file with `input_ids`, `pixel_values` of 32 × 32 and, where it is given, `image_grid_thw`. */
export function imageInputs(ids: readonly number[], grid?: readonly number[]): Buffer {
  const parts: Readonly<Record<string, readonly [shape: readonly number[], dtype: string, values: BigInt64Array | Float32Array]>> = { input_ids: [[1, ids.length], 'I64', BigInt64Array.from(ids, BigInt)], pixel_values: [[1, 3, 32, 32], 'F32', Float32Array.from({ length: 3072 }, (_, n) => Math.sin(n))], ...(grid ? { image_grid_thw: [[1, 3], 'I64', BigInt64Array.from(grid, BigInt)] } : {}) };
  const header: Record<string, unknown> = {}, bodies: Buffer[] = [], size = Buffer.alloc(8);
  let at = 0;
  for (const [name, [shape, dtype, values]] of Object.entries(parts)) { const body = Buffer.from(values.buffer); header[name] = { dtype, shape, data_offsets: [at, at += body.length] }; bodies.push(body); }
  const text = Buffer.from(JSON.stringify(header));
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...bodies]);
}
