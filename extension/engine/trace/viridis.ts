/** The viridis colour map (Smith and van der Walt, CC0), from eleven of its colours. */

const stops = [[68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140], [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37]] as const;

/** Red, green, blue (0 to 255) of a value between 0 and 1. */
export function viridis(value: number): readonly [number, number, number] {
  const at = Math.min(1, Math.max(0, value)) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at)), part = at - low;
  const mix = (channel: 0 | 1 | 2): number => Math.round(stops[low][channel] * (1 - part) + stops[low + 1][channel] * part);
  return [mix(0), mix(1), mix(2)];
}
