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
import { logSoftmax, softmax } from "../../graph/ops/softmax.ts";
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

/** The same within a graph. @param packed - float32 [labels + 2, labels]. @param legal - what is added to it. */
export function unpackCrfTensor(packed: Tensor, labels: number, legal?: Transitions): CrfParameters {
  const part = (first: number, count: number, values?: Float64Array) => {
    const rows = slice(packed, 0, first, count);
    return values === undefined ? rows : add(rows, constant("float32", [count, labels], values));
  };
  return {
    start: reshape(part(0, 1, legal?.start), [labels]),
    end: reshape(part(1, 1, legal?.end), [labels]),
    transitions: part(2, labels, legal?.between),
  };
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
  const ignored = equal(labels, full("int32", [], IGNORED_LABEL)); // [B, T]
  const steps = stepsOf(emissions, cast(ignored, "float32"), parameters);
  const { states, scores, table, end, gaps, initial } = steps;
  const known = where(ignored, full("int32", [], classes), labels);
  const chosen = reshape(oneHot(reshape(known, [rows * seq]), states), [rows, seq, states]); // [B, T, S]
  const { before, last } = labelsBefore(places(chosen), gaps, initial);
  const each = reduceSum(mul(chosen, add(matmul(before, table), scores)), [2]); // [B, T]
  const path = reduceSum(where(ignored, full("float32", [], 0), each), [1]);
  const ending = reduceSum(mul(last, end), [1, 2]);
  const all = logSumExp(reshape(add(forward(steps).last, end), [rows, states]), [1]); // over all paths
  return sub(all, add(path, ending));
}

/** What the steps from place to place are made of: B rows, T places, S = classes + 1 states. */
interface Steps {
  /** S; in the last state nothing was labelled yet, and none comes back to it. */
  readonly states: number;
  /** float32 [B, T, S]. */
  readonly scores: Tensor;
  /** float32 [S, S], [from, to]. */
  readonly table: Tensor;
  /** float32 [S]. */
  readonly end: Tensor;
  /** By place: bool [B, 1, 1]; whether it is passed over. */
  readonly gaps: readonly Tensor[];
  /** float32 [B, 1, S]; 1 at the last state. */
  readonly initial: Tensor;
}

/** @param ignored - float32 [B, T]; 1 for places that are passed over. */
function stepsOf(emissions: Tensor, ignored: Tensor, parameters: CrfParameters): Steps {
  const [rows, seq, classes] = emissions.shape as readonly [number, number, number];
  const states = classes + 1;
  const first = oneHot(constant("int32", [1], [classes]), states); // [1, S]
  return {
    states,
    // Log probabilities: what they take from all scores of a place cancels, and sums over many places stay small.
    scores: concat([logSoftmax(emissions), full("float32", [rows, seq, 1], UNREACHABLE)], 2),
    table: tableOf(parameters, classes),
    end: concat([parameters.end, full("float32", [1], 0)], 0),
    gaps: places(reshape(ignored, [rows, seq, 1])).map((gap) => equal(gap, full("float32", [], 1))),
    initial: reshape(broadcastTo(first, [rows, states]), [rows, 1, states]),
  };
}

/**
 * How likely each label is at each place over all paths: float32 [rows, seq, labels], of no meaning where places are passed over.
 * @param emissions - float32 [rows, seq, labels], sizes known. @param ignored - float32 [rows, seq]; 1 for places that are passed over.
 * Source: the forward-backward algorithm (Lafferty et al. 2001, section 3); of plain numbers see `labelMarginals`.
 */
export function crfMarginals(emissions: Tensor, ignored: Tensor, parameters: CrfParameters): Tensor {
  const [rows, seq, classes] = emissions.shape as readonly [number, number, number];
  const steps = stepsOf(emissions, ignored, parameters);
  const { states, scores, table, end, gaps } = steps;
  const { arrived } = forward(steps);
  const byPlace = places(scores);
  const marginals = new Array<Tensor>(seq);
  let beta = broadcastTo(reshape(end, [1, 1, states]), [rows, 1, states]); // what comes after a place
  for (let t = seq - 1; t >= 0; t--) {
    marginals[t] = softmax(add(arrived[t] as Tensor, beta));
    const sums = reshape(logSumExp(add(table, add(byPlace[t] as Tensor, beta)), [2]), [rows, 1, states]);
    beta = where(gaps[t] as Tensor, beta, sums);
  }
  return slice(concat(marginals, 1), 2, 0, classes);
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

/** The forward algorithm: the logarithms of the sums over all paths that arrive at each place, [B, 1, S], and of those to the end. */
function forward({ states, scores, table, gaps, initial }: Steps) {
  const rows = initial.shape[0] as number;
  const intoEach = transpose(table, [1, 0]); // [to, from]
  // 0 for the state before any label, unreachable for the others.
  let last = mul(sub(full("float32", [], 1), initial), full("float32", [], UNREACHABLE)); // [B, 1, S]
  const arrived = places(scores).map((score, t) => {
    const sums = reshape(logSumExp(add(last, intoEach), [2]), [rows, 1, states]);
    const here = add(sums, score);
    last = where(gaps[t] as Tensor, last, here);
    return here;
  });
  return { arrived, last };
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
