/** Shares as people read them. */

/** A share in per cent, without the sign: 0.1234 is `12.3`. */
export function inPercent(share: number, digits = 1): string {
  return (100 * share).toFixed(digits);
}
