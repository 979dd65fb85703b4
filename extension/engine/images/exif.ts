/** The orientation that EXIF data give, read without trusting any of its offsets. */

/** `tiff`: the data behind `Exif\0\0` of a JPEG's APP1, or a PNG's eXIf chunk. 1 where there is none. */
export function exifOrientation(tiff: Uint8Array): number {
  if (tiff.length < 14) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length), order = view.getUint16(0), little = order === 0x4949;
  if (!little && order !== 0x4d4d) return 1;
  const start = view.getUint32(4, little);
  if (start + 2 > tiff.length) return 1;
  const entries = view.getUint16(start, little);
  for (let n = 0, at = start + 2; n < entries && at + 12 <= tiff.length; n++, at += 12) {
    if (view.getUint16(at, little) !== 0x0112) continue;
    return view.getUint16(at + 2, little) === 3 ? view.getUint16(at + 8, little) : 1;
  }
  return 1;
}
