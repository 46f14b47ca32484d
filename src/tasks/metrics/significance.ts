/**
 * What several runs and two models say: maximum, mean, standard deviation and confidence interval over seeds; whether one
 * model is better than another on the same examples.
 */
import { ArgumentError } from "../../errors.ts";
import { mean } from "../../util/mean.ts";
import { Random } from "../../util/random.ts";

/** Results of runs that differ in their seeds. */
export interface RunStatistics {
  readonly runs: number;
  readonly max: number;
  readonly min: number;
  readonly mean: number;
  /** Of the sample (n - 1); undefined for a single run. */
  readonly standardDeviation?: number;
  /** Of the mean, at 95 %, by Student's t; undefined for a single run. */
  readonly confidence?: readonly [low: number, high: number];
}

const CONFIDENCE = 0.95;

/**
 * Maximum, mean and spread of the results of runs.
 * @throws {ArgumentError} when there are none.
 */
export function statisticsOf(values: readonly number[]): RunStatistics {
  expectSome("statisticsOf", values.length);
  const runs = values.length;
  const center = mean(values);
  const statistics = { runs, max: Math.max(...values), min: Math.min(...values), mean: center };
  if (runs === 1) return statistics;
  const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (runs - 1);
  const half = studentQuantile((1 + CONFIDENCE) / 2, runs - 1) * Math.sqrt(variance / runs);
  return { ...statistics, standardDeviation: Math.sqrt(variance), confidence: [center - half, center + half] };
}

/**
 * What each example contributes to a metric: numbers that are summed over examples, and what is made of the sums. An accuracy
 * sums 1 for each right example; an F1 sums right, predicted and true entities.
 */
interface ScoreParts {
  /** Numbers of an example. */
  readonly parts: number;
  /** The metric of sums over `count` examples. */
  readonly measure: (sums: Float64Array, count: number) => number;
}

/** Two models' scores of the same examples. */
export interface PairedScores extends ScoreParts {
  /** float64 [examples * parts], the parts of an example beside each other. */
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** How sure a difference is. */
export interface BootstrapResult {
  /** The first model's metric less the second's, on all examples. */
  readonly difference: number;
  /** The middle 95 % of the resampled differences. */
  readonly low: number;
  readonly high: number;
  /** The share of resamples in which the first model is better; ties count half. */
  readonly wins: number;
  /** Two-sided: how likely so large a difference is where there is none. */
  readonly pValue: number;
}

/** How examples are resampled. */
export interface BootstrapOptions {
  /** 10,000 when left out. */
  readonly resamples?: number;
  /** 0 when left out; equal seeds give equal results. */
  readonly seed?: number;
}

const RESAMPLES = 10_000;

/**
 * Compares two models' results on the same examples by drawing examples with replacement.
 * @throws {ArgumentError} when the lists do not fit each other or are empty.
 * Source: Koehn 2004 (paired bootstrap resampling); the p-value as Berg-Kirkpatrick et al. 2012, two-sided; interval: Efron and
 * Tibshirani 1993, 13.3.
 */
export function pairedBootstrap(
  { first, second, parts, measure }: PairedScores,
  options: BootstrapOptions = {},
): BootstrapResult {
  const [a, b] = resampleMetrics([first, second], { parts, measure }, options);
  return compareResampled(a as ResampledMetric, b as ResampledMetric);
}

/** A model's metric, and what it is on each resample of the examples. */
export interface ResampledMetric {
  /** On all examples. */
  readonly value: number;
  /** float64 [resamples]. */
  readonly drawn: Float64Array;
}

/**
 * The metric of several models on the same resamples of their examples: any two of them are then compared by
 * `compareResampled`, and examples are drawn once for all pairs.
 * @param scores - of each model: float64 [examples * parts], as in `PairedScores`.
 * @throws {ArgumentError} when the lists do not fit each other or are empty.
 */
export function resampleMetrics(
  scores: readonly Float64Array[],
  { parts, measure }: ScoreParts,
  { resamples = RESAMPLES, seed = 0 }: BootstrapOptions = {},
): ResampledMetric[] {
  const count = (scores[0]?.length ?? 0) / parts;
  const unlike = scores.find(({ length }) => length !== count * parts);
  if (unlike !== undefined) {
    throw new ArgumentError({
      where: "pairedBootstrap",
      expected: `as many examples as the first model has (${count})`,
      got: unlike.length / parts,
      hint: "both models must have predicted the same examples",
    });
  }
  expectSome("pairedBootstrap", count);
  const random = new Random(seed);
  const places = new Uint32Array(count);
  const metrics = scores.map((one) => ({
    value: measure(sums(one, parts), count),
    drawn: new Float64Array(resamples),
  }));
  for (let i = 0; i < resamples; i++) {
    // Without the rejection of Random.integer: the bias is below count / 2^32.
    for (let j = 0; j < count; j++) places[j] = Math.floor((random.uint32() / 2 ** 32) * count) * parts;
    for (const [model, { drawn }] of metrics.entries()) {
      drawn[i] = measure(sumsAt(scores[model] as Float64Array, places, parts), count);
    }
  }
  return metrics;
}

/** How sure the difference of two models is that were resampled together. Sources: as of `pairedBootstrap`. */
export function compareResampled(first: ResampledMetric, second: ResampledMetric): BootstrapResult {
  const difference = first.value - second.value;
  const drawn = first.drawn.map((value, i) => value - (second.drawn[i] as number));
  const resamples = drawn.length;
  let [better, far] = [0, 0];
  // Sums of the same numbers in another order differ in their last bits.
  const margin = 1e-12 * Math.max(1, Math.abs(difference));
  for (const one of drawn) {
    better += one > margin ? 1 : one < -margin ? 0 : 0.5;
    if (Math.abs(one - difference) >= Math.abs(difference) - margin) far++;
  }
  drawn.sort();
  const tail = (1 - CONFIDENCE) / 2;
  return {
    difference,
    low: quantile(drawn, tail),
    high: quantile(drawn, 1 - tail),
    wins: better / resamples,
    pValue: (far + 1) / (resamples + 1),
  };
}

/** @param places - of the first part of each example that was drawn. */
function sumsAt(scores: Float64Array, places: Uint32Array, parts: number): Float64Array {
  const total = new Float64Array(parts);
  for (let part = 0; part < parts; part++) {
    let sum = 0;
    for (let i = 0; i < places.length; i++) sum += scores[(places[i] as number) + part] as number;
    total[part] = sum;
  }
  return total;
}

function sums(scores: Float64Array, parts: number): Float64Array {
  const total = new Float64Array(parts);
  scores.forEach((score, i) => {
    total[i % parts] = (total[i % parts] as number) + score;
  });
  return total;
}

/** A quantile of ascending numbers, between neighbours by a line, as numpy.quantile. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return low + (high - low) * (at - Math.floor(at));
}

/** The metric of a number for each example: accuracy of 0 and 1, or F1 of questions. */
export function meanMeasure(sum: Float64Array, count: number): number {
  return (sum[0] as number) / count;
}

/**
 * Whether two classifiers differ on the same examples, by those that only one of them has right.
 * @returns the exact two-sided p-value.
 * Source: McNemar 1947; the exact form is the sign test.
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const count = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  let [tail, logTerm] = [0, -count * Math.LN2];
  for (let i = 0; i <= fewer; i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((count - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * Corrects p-values of several comparisons, in their order: with many pairs of models some differ by chance.
 * Source: Holm 1979.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((i, j) => (pValues[i] as number) - (pValues[j] as number));
  const corrected: number[] = new Array(pValues.length).fill(1);
  let highest = 0;
  for (const [rank, i] of order.entries()) {
    highest = Math.max(highest, Math.min(1, (pValues[i] as number) * (pValues.length - rank)));
    corrected[i] = highest;
  }
  return corrected;
}

/** The value below which a share of Student's distribution lies, by bisection. @param share - in (0.5, 1). */
function studentQuantile(share: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (studentDistribution(high, freedom) < share) high *= 2;
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2;
    if (studentDistribution(middle, freedom) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * Student's distribution function for t >= 0 and whole degrees of freedom.
 * Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
 */
function studentDistribution(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const square = Math.cos(angle) ** 2;
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? Math.cos(angle) : 1;
  let series = freedom === 1 ? 0 : term;
  for (let k = isOdd ? 3 : 2; k < freedom; k += 2) {
    term *= (square * (k - 1)) / k;
    series += term;
  }
  const within = isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * series) : Math.sin(angle) * series;
  return (1 + within) / 2;
}

function expectSome(where: string, count: number): void {
  if (count > 0) return;
  throw new ArgumentError({ where, expected: "at least one result", got: 0, hint: "was anything evaluated?" });
}
