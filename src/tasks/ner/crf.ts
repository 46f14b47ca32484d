/**
 * A conditional random field over the labels of a sequence: scores for steps from label to label beside those of each
 * place. Its loss is built from graph operators, one step of the forward algorithm after the other; decoding is
 * viterbi.ts's.
 */
import { expectShape, type Tensor } from "../../graph/graph.ts";
import { add, div, mul, sub } from "../../graph/ops/arithmetic.ts";
import { broadcastTo, reduceSum } from "../../graph/ops/broadcast.ts";
import { constant, full } from "../../graph/ops/constant.ts";
import { oneHot } from "../../graph/ops/gather.ts";
import { cast, equal, where } from "../../graph/ops/logic.ts";
import { matmul } from "../../graph/ops/matmul.ts";
import { logSumExp } from "../../graph/ops/reduce.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { concat, slice } from "../../graph/ops/slice.ts";
import { logSoftmax } from "../../graph/ops/softmax.ts";
import { transpose } from "../../graph/ops/transpose.ts";
import type { ModelContext } from "../../model/context.ts";
import type { Random } from "../../util/random.ts";
import { IGNORED_LABEL } from "../losses.ts";
import type { Transitions } from "./viterbi.ts";

/** The parameters of a field, by pytorch-crf's names. */
export interface CrfParameters {
  /** float32 [labels]. */
  readonly start: Tensor;
  /** float32 [labels]. */
  readonly end: Tensor;
  /** float32 [from, to]. */
  readonly transitions: Tensor;
}

/** Names of parameters begin so. */
export const CRF_PREFIX = "crf.";

/** The parameters of a model's field over so many labels. */
export function crfParameters(context: ModelContext, labels: number): CrfParameters {
  return {
    start: context.parameter(`${CRF_PREFIX}start_transitions`, [labels]),
    end: context.parameter(`${CRF_PREFIX}end_transitions`, [labels]),
    transitions: context.parameter(`${CRF_PREFIX}transitions`, [labels, labels]),
  };
}

/** Half the width of the even distribution that transitions start from. Source: pytorch-crf 0.7.2 (reset_parameters). */
const INITIAL_RANGE = 0.1;

/** The first values of a parameter of a field; undefined for any other parameter. */
export function initializeCrf(name: string, shape: readonly number[], random: Random): Float32Array | undefined {
  if (!name.startsWith(CRF_PREFIX)) return undefined;
  const size = shape.reduce((product, dim) => product * dim, 1);
  return Float32Array.from({ length: size }, () => INITIAL_RANGE * (2 * random.uniform() - 1));
}

/** float32 [labels + 2, labels]: start, end, and the transitions: all parameters as one tensor. */
export function packCrf({ start, end, transitions }: CrfParameters): Tensor {
  const row = (x: Tensor) => reshape(x, [1, ...x.shape]);
  return concat([row(start), row(end), transitions], 0);
}

/** What `packCrf` joined. */
export function unpackCrf(packed: ArrayLike<number>, labels: number): Transitions {
  const all = Float64Array.from(packed);
  return {
    start: all.slice(0, labels),
    end: all.slice(labels, 2 * labels),
    between: all.slice(2 * labels, (labels + 2) * labels),
  };
}

/** Far below any score, and far from overflow when scores are added to it. */
const UNREACHABLE = -1e4;

/**
 * The negative log likelihood of each row's labels under a field; unlabelled places (padding, later pieces of a word)
 * are passed over, and a row without labels costs 0.
 * @param emissions - float32 [rows, seq, labels], sizes known.
 * @param labels - int32 [rows, seq], `IGNORED_LABEL` where there is none.
 * @returns float32 [rows].
 * @throws {ShapeError} when the axes do not fit.
 * Source: Lafferty et al. 2001; pytorch-crf 0.7.2, whose masks have no gaps.
 */
export function crfLosses(emissions: Tensor, labels: Tensor, parameters: CrfParameters): Tensor {
  const [rows, seq, classes] = emissions.shape as readonly [number, number, number];
  expectShape("crfLosses: labels", labels, [rows, seq]);
  // B rows, T places, S = classes + 1 states: in the last one nothing was labelled yet, and none comes back to it.
  const states = classes + 1;
  // Log probabilities: what they take from all scores of a place cancels, and sums over many places stay small.
  const scores = concat([logSoftmax(emissions), full("float32", [rows, seq, 1], UNREACHABLE)], 2); // [B, T, S]
  const table = tableOf(parameters, classes); // [S, S]
  const end = concat([parameters.end, full("float32", [1], 0)], 0); // [S]
  const ignored = equal(labels, full("int32", [], IGNORED_LABEL)); // [B, T]
  const known = where(ignored, full("int32", [], classes), labels);
  const chosen = reshape(oneHot(reshape(known, [rows * seq]), states), [rows, seq, states]); // [B, T, S]
  const first = oneHot(constant("int32", [1], [classes]), states); // [1, S]
  const initial = reshape(broadcastTo(first, [rows, states]), [rows, 1, states]);
  const gaps = places(reshape(cast(ignored, "float32"), [rows, seq, 1])).map((gap) =>
    equal(gap, full("float32", [], 1)),
  );
  const { before, last } = labelsBefore(places(chosen), gaps, initial);
  const steps = reduceSum(mul(chosen, add(matmul(before, table), scores)), [2]); // [B, T]
  const path = reduceSum(where(ignored, full("float32", [], 0), steps), [1]);
  const ending = reduceSum(mul(last, end), [1, 2]);
  return sub(logPartition(places(scores), gaps, initial, table, end), add(path, ending));
}

/** What leads from state to state; the last row is the start, and nothing leads to the last column. */
function tableOf({ start, transitions }: CrfParameters, classes: number): Tensor {
  const rows = concat([transitions, reshape(start, [1, classes])], 0);
  return concat([rows, full("float32", [classes + 1, 1], 0)], 1);
}

/** The one-hot label of the last labelled place before each place, [B, T, S], and of the row's last one, [B, 1, S]. */
function labelsBefore(chosen: readonly Tensor[], gaps: readonly Tensor[], initial: Tensor) {
  const before: Tensor[] = [];
  let last = initial;
  chosen.forEach((label, t) => {
    before.push(last);
    last = where(gaps[t] as Tensor, last, label);
  });
  return { before: concat(before, 1), last };
}

/** The logarithm of the sum over all paths: the forward algorithm; float32 [B]. */
function logPartition(
  scores: readonly Tensor[],
  gaps: readonly Tensor[],
  initial: Tensor,
  table: Tensor,
  end: Tensor,
): Tensor {
  const [rows, , states] = initial.shape as readonly [number, number, number];
  const intoEach = transpose(table, [1, 0]); // [to, from]
  // 0 for the state before any label, unreachable for the others.
  let alpha = mul(sub(full("float32", [], 1), initial), full("float32", [], UNREACHABLE)); // [B, 1, S]
  scores.forEach((score, t) => {
    const sums = reshape(logSumExp(add(alpha, intoEach), [2]), [rows, 1, states]);
    alpha = where(gaps[t] as Tensor, alpha, add(sums, score));
  });
  return logSumExp(reshape(add(alpha, end), [rows, states]), [1]);
}

/**
 * A tensor [B, T, S] cut into its T places [B, 1, S], by halves: the gradient of a slice is as large as what it was cut
 * from, which would be T times the whole.
 */
function places(x: Tensor): Tensor[] {
  const seq = x.shape[1] as number;
  if (seq === 1) return [x];
  const half = seq >> 1;
  return [...places(slice(x, 1, 0, half)), ...places(slice(x, 1, half, seq - half))];
}

/**
 * The mean over all labels of a batch of what their rows cost: comparable to a mean cross entropy.
 * @param emissions - float32 [rows, seq, labels], sizes known.
 * @param labels - int32 [rows, seq]. @param rowWeights - float32 [rows], at least 0.
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit.
 * Source: pytorch-crf 0.7.2, reduction "token_mean".
 */
export function crfLoss(emissions: Tensor, labels: Tensor, parameters: CrfParameters, rowWeights: Tensor): Tensor {
  const losses = crfLosses(emissions, labels, parameters);
  const zero = full("float32", [], 0);
  const isLabelled = where(equal(labels, full("int32", [], IGNORED_LABEL)), zero, full("float32", [], 1));
  const counts = mul(reduceSum(isLabelled, [1]), rowWeights);
  const count = reduceSum(counts);
  const divisor = where(equal(count, zero), full("float32", [], 1), count);
  return div(reduceSum(mul(losses, rowWeights)), divisor);
}
