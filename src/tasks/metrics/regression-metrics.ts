/** How predicted numbers agree with given ones: correlation and distance. */
import { ArgumentError, verbatim } from "../../errors.ts";
import { mean } from "../../util/mean.ts";

/** What `regressionMetrics` gives; correlations in [-1, 1], distances in the unit of the numbers (mse in its square). */
export interface RegressionMetrics {
  readonly pearson: number;
  readonly spearman: number;
  readonly mse: number;
  readonly mae: number;
}

/**
 * Correlations and distances of predicted and given numbers.
 * @throws {ArgumentError} when they are not as many, or none.
 */
export function regressionMetrics(expected: ArrayLike<number>, predicted: ArrayLike<number>): RegressionMetrics {
  expectPairs(expected, predicted);
  const differences = Float64Array.from(expected, (value, i) => (predicted[i] as number) - value);
  return {
    pearson: pearson(expected, predicted),
    spearman: spearman(expected, predicted),
    mse: mean(differences.map((difference) => difference ** 2)),
    mae: mean(differences.map(Math.abs)),
  };
}

/**
 * Pearson's correlation coefficient; 0 where either side is constant, of which it is not defined.
 * @throws {ArgumentError} when there are not as many numbers on both sides, or none.
 * Source: scipy.stats.pearsonr.
 */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  expectPairs(x, y);
  if (isConstant(x) || isConstant(y)) return 0;
  const [a, b] = [unitDeviations(x), unitDeviations(y)];
  const product = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  return Math.max(-1, Math.min(1, product));
}

/**
 * Spearman's rank correlation coefficient, ties by their mean rank; 0 where either side is constant.
 * @throws {ArgumentError} when there are not as many numbers on both sides, or none.
 * Source: scipy.stats.spearmanr.
 */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  expectPairs(x, y);
  return pearson(averageRanks(x), averageRanks(y));
}

/**
 * The rank of each number, from 1 for the smallest; equal numbers share the mean of their ranks.
 * Source: scipy.stats.rankdata.
 */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i);
  order.sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranks = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    const value = values[order[start] as number];
    do end++;
    while (end < order.length && values[order[end] as number] === value);
    for (let i = start; i < end; i++) ranks[order[i] as number] = (start + 1 + end) / 2;
  }
  return ranks;
}

/** Differences from the mean, divided by their Euclidean length. */
function unitDeviations(values: ArrayLike<number>): Float64Array {
  const center = mean(values);
  const deviations = Float64Array.from(values, (value) => value - center);
  const length = Math.sqrt(deviations.reduce((sum, value) => sum + value ** 2, 0));
  return length === 0 ? deviations : deviations.map((value) => value / length);
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false;
  return true;
}

function expectPairs(x: ArrayLike<number>, y: ArrayLike<number>): void {
  if (x.length === y.length && x.length > 0) return;
  const got = verbatim(`${x.length} and ${y.length}`);
  throw new ArgumentError({ where: "metrics", expected: "as many numbers on both sides, at least one", got });
}
