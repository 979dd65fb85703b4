/** Decoders, resizing and preprocessing against PIL and the processors of transformers (fixtures/ by make.py), and files that are damaged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../extension/engine/images/decode.ts';
import { prepareImage } from '../../../extension/engine/images/prepare-image.ts';
import { readProcessor } from '../../../extension/engine/images/processor.ts';
import { resize, type Filter } from '../../../extension/engine/images/resize.ts';

const folder = join(import.meta.dirname, 'fixtures'), file = (name: string): Buffer => readFileSync(join(folder, name));
const packed = gunzipSync(file('expected.safetensors.gz')), headerBytes = Number(packed.readBigUInt64LE(0));
const header = JSON.parse(packed.toString('utf8', 8, 8 + headerBytes)) as Record<string, { readonly shape: number[]; readonly data_offsets: [number, number] }> & { readonly __metadata__: { readonly configs: string } };
const configs = JSON.parse(header.__metadata__.configs) as Record<string, { readonly full: unknown; readonly short: unknown }>;
const names = Object.keys(header).filter(name => name !== '__metadata__'), some = (prefix: string): string[] => names.filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length));
const bytes = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(packed.subarray(8 + headerBytes + header[name].data_offsets[0], 8 + headerBytes + header[name].data_offsets[1]));
const wide = decodeImage(file('wide.png'), 'wide.png');

describe('decoded as PIL does, every byte', () => {
  it.each(some('decoded.'))('%s', name => {
    const { width, height, rgb } = decodeImage(file(name), name);
    expect([height, width, 3]).toEqual(header[`decoded.${name}`].shape);
    expect(Buffer.from(rgb).equals(bytes(`decoded.${name}`)), `largest difference ${largest(rgb, bytes(`decoded.${name}`))}`).toBe(true);
  });
});

describe('resized as PIL does, every byte', () => {
  it.each(some('resized.'))('%s', name => {
    const [filter, size] = name.split('.'), [width, height] = size.split('x').map(Number), { rgb } = resize(wide, width, height, filter as Filter);
    expect(largest(rgb, bytes(`resized.${name}`))).toBe(0);
  });
});

describe('prepared as transformers does', () => {
  // float32 arithmetic in another order: some units in the last place of values up to 3.
  it.each(some('prepared.').flatMap(name => (['full', 'short'] as const).map(form => [name, form] as const)))('%s, %s config', (name, form) => {
    const [config, image] = name.split('.'), { values, width, height } = prepareImage(decodeImage(file(`${image}.png`), image), readProcessor(configs[config][form], 'preprocessor_config.json'));
    expect([3, height, width]).toEqual(header[`prepared.${name}`].shape);
    const wanted = new Float32Array(bytes(`prepared.${name}`).buffer);
    expect(largest(values, wanted)).toBeLessThan(name.startsWith('lanczos') ? 1e-9 : 1e-6);
  });
  it('knows where a fed pixel lies in the picture', () => {
    const crop = prepareImage(wide, readProcessor({ image_processor_type: 'CLIPImageProcessor', size: 22, crop_size: 22 }, 'f')), across = Math.trunc(22 * 97 / 61);
    expect(crop.scale).toEqual([97 / across, 61 / 22]);
    expect(crop.offset).toEqual([Math.floor((across - 22) / 2), 0]);
    // Original LLaVA: a square around the picture first; the paddings are outside of it.
    const padded = prepareImage(wide, readProcessor({ image_processor_type: 'LlavaImageProcessor', do_pad: true, size: 20, crop_size: 20 }, 'f'));
    expect(padded.offset[1] * padded.scale[1]).toBeCloseTo(-Math.floor((97 - 61) / 2), 9);
  });
  it('refuses with a sentence what it does not follow, and what is wrong', () => {
    expect(() => readProcessor({ image_processor_type: 'Qwen2VLImageProcessor', merge_size: 2, min_pixels: 3136 }, 'p.json')).toThrow('Qwen2VLImageProcessor in p.json goes by merge_size');
    expect(() => readProcessor({ image_processor_type: 'ViTImageProcessor', size: { height: 1e9, width: 2 } }, 'p.json')).toThrow('p.json holds a wrong value for size');
    expect(() => readProcessor({ image_processor_type: 'FooImageProcessor' }, 'p.json')).toThrow('p.json names FooImageProcessor, whose sizes are not in the file and not known.');
    expect(() => readProcessor({ image_processor_type: 'ViTImageProcessor', image_std: [0.5, 0, 1] }, 'p.json')).toThrow('p.json has 0 in image_std.');
  });
});

describe('strangers', () => {
  it('an image that claims to be huge is refused before it is decoded', () => {
    const png = Buffer.from(file('wide.png')), jpeg = Buffer.from(file('420.jpg')), frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    png.writeUInt32BE(60_000, 16);
    png.writeUInt32BE(60_000, 20);
    jpeg.writeUInt16BE(60_000, frame + 5);
    jpeg.writeUInt16BE(60_000, frame + 7);
    for (const huge of [png, jpeg]) expect(() => decodeImage(huge, 'x')).toThrow('The image x has 60000 × 60000 pixels; at most 50 million are decoded.');
    const deep = Buffer.from(file('alpha.png'));
    deep.writeUInt32BE(7_000, 16);
    deep.writeUInt32BE(7_000, 20);
    deep[24] = 16;
    expect(() => decodeImage(deep, 'x')).toThrow('its 16-bit channels take 392 MB, and at most 200 MB are decoded');
  });
  it('a JPEG whose many scans go over a large image again and again is refused', () => {
    const jpeg = Buffer.from(file('420.jpg')), frame = jpeg.indexOf(Buffer.from([0xff, 0xc0])), scan = jpeg.lastIndexOf(Buffer.from([0xff, 0xda])), again = jpeg.subarray(scan, scan + 40);
    jpeg.writeUInt16BE(7_000, frame + 5);
    jpeg.writeUInt16BE(7_000, frame + 7);
    expect(() => decodeImage(Buffer.concat([jpeg.subarray(0, -2), ...Array.from({ length: 60 }, () => again)]), 'x')).toThrow('its scans have more than 16777216 blocks');
  });
  it('2,000 damaged files give a picture or a sentence', () => {
    let seed = 1;
    const random = (below: number): number => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed % below; };
    const originals = some('decoded.').map(file);
    let refused = 0;
    for (let n = 0; n < 2_000; n++) {
      const copy = Buffer.from(originals[n % originals.length]);
      for (let flips = 1 + random(4); flips > 0; flips--) copy[random(copy.length)] = random(256);
      const mutant = random(4) === 0 ? copy.subarray(0, random(copy.length)) : copy;
      try { const { width, height, rgb } = decodeImage(mutant, 'm'); expect(rgb.length).toBe(width * height * 3); } catch (error) {
        refused++;
        expect((error as Error).name).toBe('UserError');
        expect((error as Error).message).toMatch(/^The image m (is damaged or of an unusual kind: [^\n]+\.|is neither a PNG nor a JPEG\.|has \d+ × \d+ pixels)/);
      }
    }
    expect(refused).toBeGreaterThan(200);
  });
  it('a text file is neither', () => expect(() => decodeImage(Buffer.from('hello'), 'a.txt')).toThrow('The image a.txt is neither a PNG nor a JPEG.'));
});

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let n = 0; n < a.length; n++) most = Math.max(most, Math.abs(a[n] - b[n]));
  return most;
}
