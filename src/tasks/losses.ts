/**
 * The losses that models are fine-tuned by, as graphs: cross entropy with its usual variations, the same for labels by
 * themselves, square error, and R-Drop's divergence. Means are over what counts: rows have weights, labels may be ignored.
 */
import { ArgumentError, ShapeError, verbatim } from "../errors.ts";
import type { Dim } from "../graph/dims.ts";
import { expectShape, type Tensor } from "../graph/graph.ts";
import { add, addScalar, div, mul, scale, sub } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { constant, full } from "../graph/ops/constant.ts";
import { crossEntropy } from "../graph/ops/cross-entropy.ts";
import { exp, log } from "../graph/ops/exp.ts";
import { cast, equal, where } from "../graph/ops/logic.ts";
import { reduceMean } from "../graph/ops/reduce.ts";
import { relu } from "../graph/ops/relu.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { concat, slice } from "../graph/ops/slice.ts";
import { logSoftmax } from "../graph/ops/softmax.ts";
import { formatType } from "../util/tensor.ts";
import type { LossOptions } from "./task.ts";

/** The label of what is not to be predicted: padding, the later pieces of a word. */
export const IGNORED_LABEL = -100;

/** Added to the scores of classes that a row lacks: their probability is 0 in float32, and all sums stay finite. */
const ABSENT_SCORE = -1e4;

/** Scores with those of absent classes out of reach. @param present - float32 [n, classes]; 1, or 0 for absent ones. */
export function hideAbsent(logits: Tensor, present: Tensor): Tensor {
  return add(logits, scale(addScalar(scale(present, -1), 1), ABSENT_SCORE));
}

/**
 * Cross entropy of class scores, averaged by the weights of rows and of their classes; 0 where nothing counts.
 * @param logits - float32 [n, classes].
 * @param labels - int32 [n], in 0 .. classes - 1; `IGNORED_LABEL` does not count.
 * @param rowWeights - float32 [n], at least 0; 1 when left out.
 * @param present - float32 [n, classes]; 1 for classes that a row has, 0 for those that it lacks; all when left out.
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit. @throws {ArgumentError} for options outside of their range.
 * Source: torch.nn.CrossEntropyLoss (weight, label_smoothing, ignore_index); Lin et al. 2017, equation 4, for gamma,
 * which each class of a smoothed target takes by its own probability.
 */
export function classLoss(
  logits: Tensor,
  labels: Tensor,
  options: LossOptions = {},
  rowWeights: Tensor = onesLike(labels),
  present?: Tensor,
): Tensor {
  const classes = sizeOf("classLoss: logits", logits);
  const { labelSmoothing, classWeights, focalGamma } = checkedOptions(options, classes);
  expectShape("classLoss: row weights", rowWeights, labels.shape);
  const scores = present ? hideAbsent(logits, present) : logits;
  const ignored = equal(labels, full(labels.dtype, [], IGNORED_LABEL));
  const counted = where(ignored, full("float32", [], 0), rowWeights);
  if (labelSmoothing === 0 && focalGamma === 0 && classWeights === undefined) {
    return weightedMean(crossEntropy(scores, where(ignored, full(labels.dtype, [], 0), labels)), counted);
  }
  const places = constant(
    labels.dtype,
    [1, classes],
    Array.from({ length: classes }, (_, i) => i),
  );
  const hard = cast(equal(reshape(labels, [labels.shape[0] as Dim, 1]), places), "float32");
  const even = present ? divideOrZero(present, reduceSum(present, [1], true)) : full("float32", [], 1 / classes);
  const soft = add(scale(hard, 1 - labelSmoothing), scale(even, labelSmoothing));
  const weights = constant("float32", [1, classes], classWeights ?? new Array<number>(classes).fill(1));
  const losses = reduceSum(mul(mul(soft, weights), surprise(logSoftmax(scores), focalGamma)), [1]);
  const divisors = reduceSum(mul(hard, weights), [1]);
  return divideOrZero(reduceSum(mul(losses, counted)), reduceSum(mul(divisors, counted)));
}

/**
 * Cross entropy of labels that hold or not, each by itself, averaged over the labels and by the weights of rows.
 * @param logits - float32 [n, labels].
 * @param targets - float32 [n, labels], in 0 .. 1.
 * @param options - smoothing draws targets towards 1/2; class weights multiply what a label costs where it holds.
 * @param rowWeights - float32 [n], at least 0; 1 when left out.
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit. @throws {ArgumentError} for options outside of their range.
 * Source: torch.nn.BCEWithLogitsLoss (pos_weight); Lin et al. 2017, equation 4.
 */
export function labelsLoss(
  logits: Tensor,
  targets: Tensor,
  options: LossOptions = {},
  rowWeights: Tensor = onesLike(reshape(slice(logits, 1, 0, 1), [logits.shape[0] as Dim])),
): Tensor {
  const labels = sizeOf("labelsLoss: logits", logits);
  expectShape("labelsLoss: targets", targets, logits.shape);
  const { labelSmoothing, classWeights, focalGamma } = checkedOptions(options, labels);
  const smooth = addScalar(scale(targets, 1 - labelSmoothing), labelSmoothing / 2);
  const weights = constant("float32", [1, labels], classWeights ?? new Array<number>(labels).fill(1));
  const sides = concat([addScalar(scale(smooth, -1), 1), mul(smooth, weights)].map(lastAxis), 2);
  const losses = reduceSum(mul(sides, surprise(bothSides(logits), focalGamma)), [2]);
  return weightedMean(losses, rowWeights);
}

/**
 * The square of the difference, averaged by the weights of rows.
 * @param predicted - float32 [n]. @param expected - float32 [n]. @param rowWeights - float32 [n]; 1 when left out.
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit.
 * Source: torch.nn.MSELoss.
 */
export function squareErrorLoss(predicted: Tensor, expected: Tensor, rowWeights: Tensor = onesLike(predicted)): Tensor {
  expectShape("squareErrorLoss: expected", expected, predicted.shape);
  const difference = sub(predicted, expected);
  return weightedMean(mul(difference, difference), rowWeights);
}

/**
 * How far two distributions over classes are apart: half the sum of the Kullback-Leibler divergences both ways, averaged by
 * weights. R-Drop adds it for two passes of the same rows under different dropout.
 * @param first - float32 [..., classes], scores. @param second - float32 [..., classes], scores.
 * @param weights - float32 [...] of each distribution; or of the first axis alone, over the others is then averaged evenly.
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit.
 * Source: Liang et al. 2021 (R-Drop), equation 2.
 */
export function symmetricKl(first: Tensor, second: Tensor, weights: Tensor): Tensor {
  expectShape("symmetricKl: second", second, first.shape);
  return weightedMean(divergence(logSoftmax(first), logSoftmax(second)), weights);
}

/**
 * The same of labels that hold or not, each by itself, averaged over the labels.
 * @param first - float32 [n, labels], scores. @param second - float32 [n, labels], scores. @param weights - float32 [n].
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit.
 * Source: Liang et al. 2021 (R-Drop), equation 2, for Bernoulli distributions.
 */
export function symmetricLabelsKl(first: Tensor, second: Tensor, weights: Tensor): Tensor {
  expectShape("symmetricLabelsKl: second", second, first.shape);
  return weightedMean(divergence(bothSides(first), bothSides(second)), weights);
}

/** (KL(p||q) + KL(q||p)) / 2 = sum of (p - q) (log p - log q) / 2, over the last axis. */
function divergence(logP: Tensor, logQ: Tensor): Tensor {
  return scale(reduceSum(mul(sub(exp(logP), exp(logQ)), sub(logP, logQ)), [-1]), 0.5);
}

/** Log probabilities that a label does not hold and that it does: [n, labels, 2]. A label is a choice between 0 and its score. */
function bothSides(logits: Tensor): Tensor {
  const scores = lastAxis(logits);
  return logSoftmax(concat([full("float32", scores.shape, 0), scores], 2));
}

function lastAxis(x: Tensor): Tensor {
  return reshape(x, [...x.shape, 1]);
}

/** The base of a power through its logarithm is at least this: below the spacing of float32 near 1, and not 0. */
const SMALLEST_MISS = 1e-9;

/** -log p, less where p is near 1: times (1 - p) to the power of gamma. */
function surprise(logProbs: Tensor, gamma: number): Tensor {
  const loss = scale(logProbs, -1);
  if (gamma === 0) return loss;
  // Rounding may lift a probability above 1.
  const miss = addScalar(relu(addScalar(scale(exp(logProbs), -1), 1)), SMALLEST_MISS);
  return mul(loss, exp(scale(log(miss), gamma)));
}

/** The mean by weights; over axes that the weights lack it is even. */
function weightedMean(losses: Tensor, weights: Tensor): Tensor {
  const axes = losses.shape.map((_, axis) => axis).slice(weights.shape.length);
  const means = reduceMean(losses, axes);
  expectShape("loss: weights", weights, means.shape);
  return divideOrZero(reduceSum(mul(means, weights)), reduceSum(weights));
}

/** A quotient; 0 / 0 is 0. */
function divideOrZero(total: Tensor, divisor: Tensor): Tensor {
  const isZero = cast(equal(divisor, full("float32", [], 0)), "float32");
  return div(total, add(divisor, isZero));
}

function onesLike({ shape }: Tensor): Tensor {
  return full("float32", shape, 1);
}

/** The size of the last of two axes. */
function sizeOf(where: string, { dtype, shape }: Tensor): number {
  const [, size] = shape;
  if (shape.length === 2 && typeof size === "number") return size;
  throw new ShapeError({ where, expected: "float32[n, classes]", got: verbatim(formatType(dtype, shape)) });
}

function checkedOptions({ labelSmoothing = 0, classWeights, focalGamma = 0 }: LossOptions, classes: number) {
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    const expected = "a share of at least 0 and below 1";
    throw new ArgumentError({ where: "label smoothing", expected, got: labelSmoothing });
  }
  if (!(focalGamma >= 0 && Number.isFinite(focalGamma))) {
    throw new ArgumentError({ where: "focal gamma", expected: "a number of at least 0", got: focalGamma });
  }
  const isFit = (weights: readonly number[]) =>
    weights.length === classes && weights.every((weight) => weight >= 0 && Number.isFinite(weight));
  if (classWeights !== undefined && !isFit(classWeights)) {
    const expected = `${classes} numbers of at least 0, one for each label`;
    throw new ArgumentError({ where: "class weights", expected, got: classWeights });
  }
  return { labelSmoothing, classWeights, focalGamma };
}

/**
 * Refuses options of a loss that has no classes of each row to apply them to.
 * @param where - the task, for the message. @param loss - in words, what it minimises instead.
 * @throws {ArgumentError} where an option changes the loss.
 */
export function expectPlainLoss(
  { classWeights, labelSmoothing = 0, focalGamma = 0 }: LossOptions,
  where: string,
  loss: string,
): void {
  if (classWeights === undefined && labelSmoothing === 0 && focalGamma === 0) return;
  throw new ArgumentError({
    where,
    expected: `${loss} as loss`,
    got: verbatim("class weights, label smoothing or focal loss"),
    hint: "these change the cross entropy of classes: leave them out",
  });
}
