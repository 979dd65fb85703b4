/** Heat maps on a plain canvas: the fallback, and what images are saved with. */
import { position, type Scale } from '../marks/scale.ts';
import { lutIndex, viridis } from '../../extension/contract/viridis.ts';
import type { HeatPainter, PlacedTile, Texels } from './heat.ts';

export function heat2d(canvas: HTMLCanvasElement): HeatPainter {
  const context = canvas.getContext('2d')!, pictures = new Map<string, { readonly key: string; readonly colours: Uint8Array; readonly picture: HTMLCanvasElement }>();
  return {
    kind: 'canvas2d',
    draw(frame) {
      const { view, size, devicePixels, scale, colours, masked, background } = frame;
      canvas.width = Math.round(size.width * devicePixels);
      canvas.height = Math.round(size.height * devicePixels);
      context.fillStyle = `rgb(${background.join(' ')})`;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.imageSmoothingEnabled = false;
      const cell = view.cell * devicePixels, key = JSON.stringify([scale, masked]);
      const rectangle = ({ rows, cols }: { readonly rows: readonly [number, number]; readonly cols: readonly [number, number] }): readonly [number, number, number, number] => {
        const x = Math.round((cols[0] - view.col) * cell), y = Math.round((rows[0] - view.row) * cell);
        return [x, y, Math.round((cols[1] - view.col) * cell) - x, Math.round((rows[1] - view.row) * cell) - y];
      };
      const place = (tile: PlacedTile): void => {
        let kept = pictures.get(tile.name);
        if (kept?.key !== key || kept.colours !== colours) { kept = { key, colours, picture: paintTexels(tile.texels, scale, masked, colours) }; pictures.set(tile.name, kept); }
        context.drawImage(kept.picture, ...rectangle(tile));
      };
      for (const tile of frame.ground ?? []) place(tile);
      for (const one of frame.pending ?? []) context.fillRect(...rectangle(one));
      for (const tile of frame.tiles) place(tile);
    },
    keep: names => { for (const name of pictures.keys()) if (!names.has(name)) pictures.delete(name); },
    dispose: () => pictures.clear(),
  };
}

/** One pixel a texel: the map's colours, the masked colour, and red where a number is infinite. */
export function paintTexels(texels: Texels, scale: Scale, masked: readonly [number, number, number], colours: Uint8Array): HTMLCanvasElement {
  const picture = document.createElement('canvas');
  picture.width = texels.width;
  picture.height = texels.height;
  const context = picture.getContext('2d')!, image = context.createImageData(texels.width, texels.height);
  colourTexels(texels.data, scale, masked, image.data, colours);
  context.putImageData(image, 0, 0);
  return picture;
}

/** RGBA bytes of the values. */
export function colourTexels(data: Float32Array, scale: Scale, masked: readonly [number, number, number], out: Uint8ClampedArray, colours: Uint8Array = viridis): void {
  for (let n = 0; n < data.length; n++) {
    const value = data[n], at = n * 4;
    out[at + 3] = 255;
    if (Number.isNaN(value)) { out[at] = masked[0]; out[at + 1] = masked[1]; out[at + 2] = masked[2]; continue; }
    if (!Number.isFinite(value)) { out[at] = 255; out[at + 1] = 0; out[at + 2] = 0; continue; }
    const colour = lutIndex(position(scale, value)) * 4;
    out[at] = colours[colour]; out[at + 1] = colours[colour + 1]; out[at + 2] = colours[colour + 2];
  }
}
