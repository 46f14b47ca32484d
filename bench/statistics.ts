/** What is told of several runs: medians and ranges, since single runs on a shared machine differ twofold. */

/** The middle and the ends of some numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** @throws {RangeError} when there is no number. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("spread: expected at least one number, got none");
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  const upper = sorted[Math.ceil((sorted.length - 1) / 2)] as number;
  return { min: at(0), median: (at(0.5) + upper) / 2, max: at(1) };
}

/** The value that a share of all, in 0 .. 1, does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
}

/** Ratios of runs that stood next to each other, so that a machine that slows down slows both. */
export function pairedRatios(numerators: readonly number[], denominators: readonly number[]): Spread {
  return spread(numerators.map((value, i) => value / (denominators[i] as number)));
}

/** Three significant digits. */
export function shown(value: number): string {
  return value >= 1000 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
}

/** `2 (1.9-2.4)`. */
export function shownSpread({ min, median, max }: Spread): string {
  return `${shown(median)} (${shown(min)}-${shown(max)})`;
}
