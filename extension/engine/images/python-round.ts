/** Python's `round`: halves go to the even neighbor. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value), rest = value - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}
