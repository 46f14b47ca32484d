/**
 * Whether a matrix is as it was drawn at the start: statistics of independent numbers of one distribution, as z-scores.
 *
 * Training moves the variance, makes rows and columns of unlike norms, and takes entries beyond where a cut-off
 * distribution ends; a matrix that shows none of it has not been trained.
 */

/** A distribution that matrices start from, in units of its standard deviation before the cut. */
interface Law {
  readonly name: string;
  /** Of order 2, 4, 6 and 8. */
  readonly moments: readonly [number, number, number, number];
  /** No entry lies beyond; of the uncut one P(any of 10^6 entries does) < 2e-9. */
  readonly limit: number;
}

/** Where TensorFlow's truncated normal ends. */
const CUT = 2;
/** The normal density at the cut, over the share of the distribution within it (erf of the square root of 2). */
const EDGE = Math.exp((-CUT * CUT) / 2) / Math.sqrt(2 * Math.PI) / 0.9544997361036416;

/** By parts: the moment of order k is k - 1 times that of order k - 2, less what the cut takes. */
function cutMoment(order: number): number {
  return order === 0 ? 1 : (order - 1) * cutMoment(order - 2) - 2 * CUT ** (order - 1) * EDGE;
}

const LAWS: readonly Law[] = [
  { name: "normal distribution", moments: [1, 3, 15, 105], limit: 8 },
  {
    name: "normal distribution cut at 2 standard deviations",
    moments: [cutMoment(2), cutMoment(4), cutMoment(6), cutMoment(8)],
    limit: CUT,
  },
];

/** Room for the rounding of the largest entries to bfloat16. */
const LIMIT_TOLERANCE = 1 + 2 ** -8;

/**
 * A fresh matrix shows a z-score beyond this in one of five statistics with probability 5 * 5.7e-7 = 3e-6 where they
 * are normal. Squares of a normal distribution have longer tails in small matrices: of 5,000 simulated 24 x 24 ones 7
 * exceed it, of 32 x 32 ones 4, of 1,000 64 x 64 ones none; of 15,000 of the cut distribution none.
 */
const Z_LIMIT = 5;

/** How a matrix compares with the distribution that fits it best. */
export interface FreshnessTest {
  /** Whether nothing tells it from a matrix as it is drawn. */
  readonly isFresh: boolean;
  /** For people, with the numbers. */
  readonly evidence: string;
}

/**
 * Compares a matrix with the distributions that BERT's code (cut normal) and Transformers (normal) draw from.
 * @param data - float32 [rows, columns], row-major; at least 16 of each for the test to mean something.
 * @param std - standard deviation of the distribution before the cut (`initializer_range`), above 0.
 * @param slack - how far entries may lie beyond the end of the cut distribution; 0.
 */
export function testFreshness(
  data: Float32Array,
  rows: number,
  columns: number,
  std: number,
  slack = 0,
): FreshnessTest {
  const sums = summarize(data, rows, columns);
  const [best] = LAWS.map((law) => compare(sums, law, std, slack)).sort((a, b) => a.worst - b.worst) as [Comparison];
  const isFresh = best.worst <= Z_LIMIT;
  const relation = isFresh ? "cannot be told from one drawn from" : "is not as drawn from";
  const drawn = std * Math.sqrt(best.law.moments[0]);
  const worst = Number.isFinite(best.worst)
    ? `largest z-score ${best.worst.toPrecision(2)} (${best.what})`
    : `an entry of ${sums.largest.toPrecision(3)} lies beyond it`;
  return {
    isFresh,
    evidence:
      `matrix ${relation} a ${best.law.name} of ${std}: ` +
      `standard deviation ${sums.std.toPrecision(3)} (drawn: ${drawn.toPrecision(3)}), ${worst}`,
  };
}

interface Sums {
  readonly count: number;
  readonly mean: number;
  readonly std: number;
  readonly fourth: number;
  readonly largest: number;
  /** Mean squares. */
  readonly rowSquares: Float64Array;
  readonly columnSquares: Float64Array;
}

function summarize(data: Float32Array, rows: number, columns: number): Sums {
  const rowSquares = new Float64Array(rows);
  const columnSquares = new Float64Array(columns);
  let [sum, squares, fourths, largest] = [0, 0, 0, 0];
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const value = data[i] as number;
      const square = value * value;
      sum += value;
      squares += square;
      fourths += square * square;
      // Not Math.max: a NaN must not be lost, so that nothing fits it.
      if (!(Math.abs(value) <= largest)) largest = Math.abs(value);
      rowSquares[row] = (rowSquares[row] as number) + square / columns;
      columnSquares[column] = (columnSquares[column] as number) + square / rows;
    }
  }
  const count = rows * columns;
  const std = Math.sqrt(squares / count);
  return { count, mean: sum / count, std, fourth: fourths / count, largest, rowSquares, columnSquares };
}

interface Comparison {
  readonly law: Law;
  /** The largest z-score by its absolute value; infinite when an entry cannot be of the distribution. */
  readonly worst: number;
  /** Its statistic. */
  readonly what: string;
}

function compare(sums: Sums, law: Law, std: number, slack: number): Comparison {
  const { count, mean } = sums;
  const [second, fourth, sixth, eighth] = law.moments;
  const variance = second * std * std;
  const kurtosis = fourth / second ** 2;
  // The delta method for the ratio of two sample moments of a symmetric distribution.
  const kurtosisVariance =
    eighth / second ** 4 - (4 * fourth * sixth) / second ** 5 + (4 * fourth ** 3) / second ** 6 - kurtosis ** 2;
  const scores: [string, number][] = [
    ["mean", mean / Math.sqrt(variance / count)],
    ["variance", (sums.std ** 2 / variance - 1) / Math.sqrt((kurtosis - 1) / count)],
    ["kurtosis", (sums.fourth / sums.std ** 4 - kurtosis) / Math.sqrt(kurtosisVariance / count)],
    ["norms of rows", dispersion(sums.rowSquares, sums.columnSquares.length, law, variance)],
    ["norms of columns", dispersion(sums.columnSquares, sums.rowSquares.length, law, variance)],
    ["largest entry", sums.largest <= law.limit * LIMIT_TOLERANCE * std + slack ? 0 : Number.POSITIVE_INFINITY],
  ];
  let [what, worst] = ["", 0];
  for (const [name, score] of scores) {
    const size = Number.isNaN(score) ? Number.POSITIVE_INFINITY : Math.abs(score);
    if (size > worst) [what, worst] = [name, size];
  }
  return { law, worst, what };
}

/**
 * The z-score of how much mean squares vary from row to row: by chance alone their variance is that of a single square
 * over the entries of a row.
 */
function dispersion(meanSquares: Float64Array, entries: number, { moments }: Law, variance: number): number {
  const [second, fourth, sixth, eighth] = moments;
  const count = meanSquares.length;
  const mean = meanSquares.reduce((sum, value) => sum + value, 0) / count;
  const observed = meanSquares.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const ofSquare = fourth / second ** 2 - 1;
  const expected = (ofSquare * variance ** 2) / entries;
  const fourthCentral = (eighth - 4 * sixth * second + 6 * fourth * second ** 2 - 3 * second ** 4) / second ** 4;
  const excess = (fourthCentral / ofSquare ** 2 - 3) / entries;
  return (observed / expected - 1) / Math.sqrt(2 / (count - 1) + excess / count);
}
