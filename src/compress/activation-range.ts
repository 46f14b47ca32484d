/** Which range of an activation the 256 levels are laid over: from a histogram of its values over calibration texts. */

/** The levels of uint8. */
const LEVELS = 256;
/** Fine enough that 256 levels can be told apart in a range of an eighth of the whole. */
const BINS = 8 * LEVELS;

/** How a range is chosen: the one by which the squared error is least; all but 0.01 % of the values at each end; all values. */
export const RANGE_METHODS = ["mse", "percentile", "min-max"] as const;
/** One of `RANGE_METHODS`. */
export type RangeMethod = (typeof RANGE_METHODS)[number];

/** A scale and the level of 0 in 0 .. 255: x = scale * (q - zeroPoint). */
export interface ActivationScale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The smallest and the largest value, and after them how often each part of the range between occurs. */
export class ActivationHistogram {
  #least = 0;
  #most = 0;
  #counts: Float64Array | undefined;

  /** The first pass over values: widens the range, which 0 always belongs to. */
  widen(values: Float32Array): void {
    for (const value of values) {
      if (value < this.#least) this.#least = value;
      if (value > this.#most) this.#most = value;
    }
  }

  /** The second pass: counts. */
  count(values: Float32Array): void {
    this.#counts ??= new Float64Array(BINS);
    const [least, width] = [this.#least, this.#width];
    const counts = this.#counts;
    for (const value of values) {
      const bin = Math.min(BINS - 1, Math.floor((value - least) / width));
      counts[bin] = (counts[bin] as number) + 1;
    }
  }

  get #width(): number {
    return (this.#most - this.#least) / BINS || 1;
  }

  /** The scale that a method chooses. Source: Banner et al. 2019, section 3 (mse); Wu et al. 2020, section 3.3 (percentile). */
  scale(method: RangeMethod): ActivationScale {
    const range = (share: number) => this.#rangeWithout(share);
    if (method === "min-max") return scaleOf(this.#least, this.#most);
    if (method === "percentile") return scaleOf(...range(PERCENTILE));
    const candidates = TAILS.map((share) => scaleOf(...range(share)));
    const losses = candidates.map((candidate) => this.#squaredError(candidate));
    return candidates[losses.indexOf(Math.min(...losses))] as ActivationScale;
  }

  /** The range without a share of the values at each end. */
  #rangeWithout(share: number): [number, number] {
    const counts = this.#counts ?? new Float64Array(BINS);
    const most = share * counts.reduce((sum, count) => sum + count, 0);
    let [first, last] = [0, BINS - 1];
    for (let left = counts[first] as number; first < last && left <= most; ) left += counts[++first] as number;
    for (let left = counts[last] as number; last > first && left <= most; ) left += counts[--last] as number;
    const edge = (bin: number) => this.#least + bin * this.#width;
    return [Math.min(0, edge(first)), Math.max(0, edge(last + 1))];
  }

  /** Of values that are rounded and cut off, summed over the counts; a bin's values are taken as its middle. */
  #squaredError({ scale, zeroPoint }: ActivationScale): number {
    const counts = this.#counts ?? new Float64Array(BINS);
    return counts.reduce((sum, count, bin) => {
      const value = this.#least + (bin + 0.5) * this.#width;
      const level = Math.max(0, Math.min(LEVELS - 1, Math.round(value / scale) + zeroPoint));
      return sum + count * (value - scale * (level - zeroPoint)) ** 2;
    }, 0);
  }
}

/** Left out at each end by `percentile`. */
const PERCENTILE = 1e-4;
/** Shares at each end that `mse` chooses among. */
const TAILS = [0, 1e-7, 1e-6, 1e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3];

/** The levels laid over a range that holds 0, which becomes a level exactly. */
function scaleOf(least: number, most: number): ActivationScale {
  const scale = Math.fround((most - least) / (LEVELS - 1)) || 1;
  return { scale, zeroPoint: Math.max(0, Math.min(LEVELS - 1, Math.round(-least / scale))) };
}
