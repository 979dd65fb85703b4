/** Sizes as a person reads them, in powers of ten as file managers count; pure. */

/** `870 bytes`, `42 kB`, `7.1 MB`, `1.2 GB` */
export function bytesText(bytes: number): string {
  if (!(bytes >= 0)) return '? bytes';
  if (bytes < 1e3) return `${Math.round(bytes)} bytes`;
  const [size, unit] = bytes < 999.5e3 ? [bytes / 1e3, 'kB'] : bytes < 999.5e6 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size).toLocaleString('en')} ${unit}`;
}
