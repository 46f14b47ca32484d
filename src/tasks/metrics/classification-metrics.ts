/** How predicted classes and labels agree with given ones: counts by class, and the usual figures over them. */
import { ArgumentError, verbatim } from "../../errors.ts";
import { averageRanks } from "./regression-metrics.ts";

/** Precision, recall and their harmonic mean, in [0, 1]; 0 where there is nothing to divide by. */
export interface PrecisionRecallF1 {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** The figures of one class. */
export interface ClassFigures extends PrecisionRecallF1 {
  /** How many examples have the class. */
  readonly support: number;
}

/** What `classMetrics` gives. */
export interface ClassMetrics {
  readonly accuracy: number;
  /** Over the classes that are given or predicted at least once. */
  readonly macro: PrecisionRecallF1;
  /** By how many examples have each class. */
  readonly weighted: PrecisionRecallF1;
  /** Over the counts of all classes; where each example has one class all three are the accuracy. */
  readonly micro: PrecisionRecallF1;
  /** In [-1, 1]; 0 where either side is of one class. */
  readonly matthews: number;
  readonly byClass: readonly ClassFigures[];
  /** confusion[expected][predicted]. */
  readonly confusion: readonly (readonly number[])[];
}

/**
 * The figures of examples with one class each.
 * @param expected - classes, in 0 .. classes - 1. @param predicted - likewise.
 * @throws {ArgumentError} when the examples are not as many on both sides, or none, or a class is out of range.
 * Source: precision_recall_fscore_support and matthews_corrcoef of scikit-learn, with zero_division 0.
 */
export function classMetrics(expected: readonly number[], predicted: readonly number[], classes: number): ClassMetrics {
  const confusion = confusionMatrix(expected, predicted, classes);
  const counts = confusion.map((row, i) => ({
    right: row[i] as number,
    expected: total(row),
    predicted: total(confusion.map((other) => other[i] as number)),
  }));
  const byClass = counts.map(figuresOf);
  const present = byClass.filter((_, i) => (counts[i]?.expected ?? 0) + (counts[i]?.predicted ?? 0) > 0);
  const right = total(counts.map((count) => count.right));
  return {
    accuracy: right / expected.length,
    macro: meanFigures(present, () => 1),
    weighted: meanFigures(byClass, ({ support }) => support),
    micro: figuresOf(sumCounts(counts)),
    matthews: matthews(counts, expected.length),
    byClass,
    confusion,
  };
}

function confusionMatrix(expected: readonly number[], predicted: readonly number[], classes: number): number[][] {
  expectExamples(expected.length, predicted.length);
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  expected.forEach((wanted, i) => {
    const found = predicted[i] as number;
    const row = counts[wanted];
    if (row?.[found] === undefined) {
      const got = verbatim(`${wanted} and ${found}`);
      throw new ArgumentError({ where: "metrics", expected: `classes in 0 .. ${classes - 1}`, got });
    }
    row[found]++;
  });
  return counts;
}

/** Source: Gorodkin 2004, the correlation of several classes. */
function matthews(counts: readonly Counts[], examples: number): number {
  const sum = (value: (count: Counts) => number) => total(counts.map(value));
  const covariance = sum(({ right }) => right) * examples - sum((count) => count.expected * count.predicted);
  const spread = (side: "expected" | "predicted") => examples ** 2 - sum((count) => count[side] ** 2);
  const product = spread("expected") * spread("predicted");
  return product === 0 ? 0 : covariance / Math.sqrt(product);
}

/**
 * How often a positive example scores above a negative one, equal scores counted half; undefined without both kinds.
 * @param isPositive - of each example. @param scores - of each example, higher for what looks positive.
 * @throws {ArgumentError} when the examples are not as many on both sides, or none.
 * Source: roc_auc_score of scikit-learn; Mann and Whitney 1947.
 */
export function rocAuc(isPositive: readonly boolean[], scores: ArrayLike<number>): number | undefined {
  expectExamples(isPositive.length, scores.length);
  const positives = isPositive.filter((positive) => positive).length;
  const negatives = isPositive.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  const ranks = averageRanks(scores);
  const rankSum = isPositive.reduce((sum, positive, i) => sum + (positive ? (ranks[i] as number) : 0), 0);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** What `labelMetrics` gives. */
export interface LabelMetrics {
  /** The share of examples all of whose labels are right. */
  readonly exactMatch: number;
  /** The share of all decisions, one for each label of each example, that are wrong. */
  readonly hammingLoss: number;
  readonly micro: PrecisionRecallF1;
  /** Over all labels. */
  readonly macro: PrecisionRecallF1;
  readonly weighted: PrecisionRecallF1;
  /** Over examples; an example without labels on either side counts 0. */
  readonly samples: PrecisionRecallF1;
  readonly byLabel: readonly ClassFigures[];
}

/**
 * The figures of examples with any number of labels.
 * @param expected - the labels of each example, in 0 .. labels - 1. @param predicted - likewise.
 * @throws {ArgumentError} when the examples are not as many on both sides, or none, or a label is out of range.
 * Source: precision_recall_fscore_support of scikit-learn over indicators, with zero_division 0.
 */
export function labelMetrics(
  expected: readonly (readonly number[])[],
  predicted: readonly (readonly number[])[],
  labels: number,
): LabelMetrics {
  expectExamples(expected.length, predicted.length);
  const counts = Array.from({ length: labels }, () => ({ right: 0, expected: 0, predicted: 0 }));
  const samples = expected.map((wanted, i) => countSample(counts, new Set(wanted), new Set(predicted[i])));
  const byLabel = counts.map(figuresOf);
  const isExact = (count: Counts) => count.right === count.expected && count.right === count.predicted;
  const all = sumCounts(counts);
  return {
    exactMatch: samples.filter(isExact).length / expected.length,
    hammingLoss: (all.expected + all.predicted - 2 * all.right) / (expected.length * labels),
    micro: figuresOf(all),
    macro: meanFigures(byLabel, () => 1),
    weighted: meanFigures(byLabel, ({ support }) => support),
    samples: meanFigures(samples.map(figuresOf), () => 1),
    byLabel,
  };
}

/** Adds an example's labels to the counts of all; gives the example's own. */
function countSample(counts: MutableCounts[], wanted: ReadonlySet<number>, found: ReadonlySet<number>): Counts {
  const countOf = (label: number) => {
    const count = counts[label];
    if (count) return count;
    throw new ArgumentError({ where: "metrics", expected: `labels in 0 .. ${counts.length - 1}`, got: label });
  };
  let right = 0;
  for (const label of wanted) countOf(label).expected++;
  for (const label of found) {
    const count = countOf(label);
    count.predicted++;
    if (!wanted.has(label)) continue;
    count.right++;
    right++;
  }
  return { right, expected: wanted.size, predicted: found.size };
}

interface MutableCounts {
  right: number;
  expected: number;
  predicted: number;
}

type Counts = Readonly<MutableCounts>;

function figuresOf({ right, expected, predicted }: Counts): ClassFigures {
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    precision: share(right, predicted),
    recall: share(right, expected),
    f1: share(2 * right, expected + predicted),
    support: expected,
  };
}

function sumCounts(counts: readonly Counts[]): Counts {
  const sum = (side: keyof Counts) => total(counts.map((count) => count[side]));
  return { right: sum("right"), expected: sum("expected"), predicted: sum("predicted") };
}

function meanFigures(figures: readonly ClassFigures[], weight: (one: ClassFigures) => number): PrecisionRecallF1 {
  const divisor = total(figures.map(weight)) || 1;
  const mean = (name: keyof PrecisionRecallF1) => total(figures.map((one) => one[name] * weight(one))) / divisor;
  return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1") };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function expectExamples(expected: number, predicted: number): void {
  if (expected === predicted && expected > 0) return;
  const got = verbatim(`${expected} and ${predicted}`);
  throw new ArgumentError({ where: "metrics", expected: "as many examples on both sides, at least one", got });
}
