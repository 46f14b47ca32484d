/** The losses that sentence vectors are trained by: what means the same is drawn together, what does not apart. */
import { ShapeError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { add, addScalar, div, mul, scale, sub } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { constant } from "../graph/ops/constant.ts";
import { exp, log, sqrt } from "../graph/ops/exp.ts";
import { cast, less } from "../graph/ops/logic.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { concat } from "../graph/ops/slice.ts";
import { transpose } from "../graph/ops/transpose.ts";
import { formatType } from "../util/tensor.ts";
import { classLoss } from "./losses.ts";

/** Keeps the length of a vector of zeros above 0; far below what any real vector has. */
const SMALLEST_SQUARE = 1e-12;
/** Rows that only fill a batch are no candidates: their cosine counts as one far below -1. */
const FAR_APART = -1e4;

/** Vectors scaled to length 1. @param x - float32 [rows, dim]. @returns float32 [rows, dim]. */
export function unitVectors(x: Tensor): Tensor {
  return div(x, sqrt(addScalar(reduceSum(mul(x, x), [1], true), SMALLEST_SQUARE)));
}

/** The cosine of each pair. @param a - float32 [rows, dim]. @param b - likewise. @returns float32 [rows], in -1 .. 1. */
export function pairCosines(a: Tensor, b: Tensor): Tensor {
  return reduceSum(mul(unitVectors(a), unitVectors(b)), [1]);
}

/**
 * The contrastive loss with the other rows of the batch as negatives: each anchor is to find its own positive among all
 * positives (and all hard negatives) by cosine.
 * @param anchors - float32 [rows, dim]; rows is a number. @param candidates - the positives, then perhaps hard negatives: float32
 *   [rows, dim] each. @param rowWeights - float32 [rows]; rows of weight 0 are neither anchors nor candidates.
 * @param temperature - what cosines are divided by.
 * @returns float32 [].
 * @throws {ShapeError} when the number of rows is not known.
 * Source: Gao et al. 2021 (SimCSE), equations 1 and 5; Henderson et al. 2017 for the negatives of the batch.
 */
export function inBatchLoss(
  anchors: Tensor,
  candidates: readonly Tensor[],
  rowWeights: Tensor,
  temperature: number,
): Tensor {
  const rows = rowsOf("inBatchLoss", anchors);
  const units = candidates.map((each) => transpose(unitVectors(each), [1, 0]));
  const absent = scale(addScalar(scale(rowWeights, -1), 1), FAR_APART);
  const unit = unitVectors(anchors);
  const scores = units.map((each) => add(scale(matmul(unit, each), 1 / temperature), reshape(absent, [1, rows])));
  const own = constant(
    "int32",
    [rows],
    Array.from({ length: rows }, (_, row) => row),
  );
  return classLoss(concat(scores, 1), own, {}, rowWeights);
}

/**
 * The loss that puts pairs in the order of their scores: log(1 + sum of exp(scale (cos_j - cos_i))) over all pairs of rows of
 * which i has the higher score. Only the order of scores matters.
 * @param cosines - float32 [rows]; rows is a number. @param scores - float32 [rows]. @param rowWeights - float32 [rows].
 * @returns float32 [].
 * @throws {ShapeError} when the number of rows is not known.
 * Source: Su 2022 (CoSENT, kexue.fm/archives/8847), equation 6, scale 20.
 */
export function cosentLoss(cosines: Tensor, scores: Tensor, rowWeights: Tensor, factor = 20): Tensor {
  const rows = rowsOf("cosentLoss", cosines);
  const [column, row] = [
    [rows, 1],
    [1, rows],
  ];
  // At most exp(2 * factor) each: far within float32.
  const terms = exp(scale(sub(reshape(cosines, row), reshape(cosines, column)), factor));
  const isAbove = cast(less(reshape(scores, row), reshape(scores, column)), "float32");
  const counts = mul(isAbove, mul(reshape(rowWeights, row), reshape(rowWeights, column)));
  return log(addScalar(reduceSum(mul(terms, counts)), 1));
}

function rowsOf(where: string, { dtype, shape }: Tensor): number {
  const [rows] = shape;
  if (typeof rows === "number") return rows;
  throw new ShapeError({ where, expected: "a known number of rows", got: verbatim(formatType(dtype, shape)) });
}
