/** Cross entropy of class scores: by row, and as a mean that leaves out ignored labels. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { onnxDataType } from "../data-type.ts";
import { product } from "../dims.ts";
import { defineOp, type LowerContext, type LoweredNode, type Tensor, type TensorType } from "../graph.ts";
import { div, mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { full } from "./constant.ts";
import { cast, equal, where } from "./logic.ts";
import { reduceMax } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { concat } from "./slice.ts";
import { logSoftmax } from "./softmax.ts";

/** The shape rule of what is read at each row's label. */
function inferByRow(where: string, logits: TensorType, labels: TensorType): TensorType {
  const integers = labels.dtype === "int32" || labels.dtype === "int64";
  if (logits.shape.length === 2 && labels.shape.length === 1 && labels.shape[0] === logits.shape[0] && integers) {
    return { dtype: "float32", shape: labels.shape };
  }
  throw new ShapeError({
    where,
    expected: "logits [n, classes] and int32 or int64 labels [n]",
    got: verbatim(`${formatType(logits.dtype, logits.shape)} and ${formatType(labels.dtype, labels.shape)}`),
  });
}

/**
 * Inputs: logits, their log probabilities, labels. The value is read from the log probabilities; the gradient goes to the
 * logits in its closed form, so that no array of zeros as large as the logits is made.
 */
const nllOp = defineOp<object>({
  name: "negativeLogLikelihood",
  infer: ([logits, , labels]) => inferByRow("crossEntropy", logits as TensorType, labels as TensorType),
  // d nll / d logits = softmax(logits) - onehot(label)
  vjp: ({ grad, inputs: [logits, logProbs, labels] }) => {
    const column = reshape(grad, [(logits as Tensor).shape[0] as number, 1]);
    return [nllGradientOp([logProbs as Tensor, labels as Tensor, column], {})];
  },
  lower: (context) => {
    const [, logProbs, labels] = context.names;
    return { opType: "Neg", inputs: [context.emit(squeezedAtLabels(context, logProbs, labels))] };
  },
});

/** x [n, classes] at each row's label: [n]. */
const atLabelsOp = defineOp<object>({
  name: "atLabels",
  infer: ([logits, labels]) => inferByRow("isHighest", logits as TensorType, labels as TensorType),
  lower: (context) => squeezedAtLabels(context, ...context.names),
  flops: () => 0,
});

function squeezedAtLabels({ emit, int64s }: LowerContext<object>, x?: string, labels?: string): LoweredNode {
  const column = emit({ opType: "Unsqueeze", inputs: [labels as string, int64s([1])] });
  const picked = emit({
    opType: "GatherElements",
    inputs: [x as string, column],
    attributes: { axis: { int: 1 } },
  });
  return { opType: "Squeeze", inputs: [picked, int64s([1])] };
}

/** (exp(logProbs) - onehot(label)) times `column` [n, 1]. */
const nllGradientOp = defineOp<object>({
  name: "negativeLogLikelihoodGradient",
  infer: ([logProbs]) => logProbs as TensorType,
  lower: lowerGradient,
  flops: ([logProbs]) => FLOPS_PER_ELEMENT * Number(product((logProbs as TensorType).shape)),
});

/** An exponential, a difference and a product. */
const FLOPS_PER_ELEMENT = 6;

/** Where an engine fuses chains, the rows of ones need no memory; elsewhere the label's column is added to its place. */
function lowerGradient({ names, inputs, target, emit, int64s, constant }: LowerContext<object>): LoweredNode {
  const [logProbs, labels, column] = names as readonly [string, string, string];
  const [, classes] = (inputs[0] as Tensor).shape;
  const probabilities = emit({ opType: "Exp", inputs: [logProbs] });
  const own = emit({ opType: "Unsqueeze", inputs: [labels, int64s([1])] });
  if (target.fusesElementwise && typeof classes === "number") {
    // As integers: of floats an engine at bfloat16 would compare eight bits.
    const { dtype } = inputs[1] as Tensor;
    const indices = Array.from({ length: classes }, (_, i) => i);
    const isOwn = emit({ opType: "Equal", inputs: [own, constant(dtype, [1, classes], indices)] });
    const ones = emit({ opType: "Cast", inputs: [isOwn], attributes: { to: { int: onnxDataType.float32 } } });
    return { opType: "Mul", inputs: [emit({ opType: "Sub", inputs: [probabilities, ones] }), column] };
  }
  const scaled = emit({ opType: "Mul", inputs: [probabilities, column] });
  const less = emit({ opType: "Neg", inputs: [column] });
  return {
    opType: "ScatterElements",
    inputs: [scaled, own, less],
    attributes: { axis: { int: 1 }, reduction: { string: "add" } },
  };
}

/**
 * The negative log likelihood of each row's label.
 * @param logits - float32 [n, classes].
 * @param labels - int32 or int64 [n], in 0 .. classes - 1.
 * @returns float32 [n], at least 0.
 * @throws {ShapeError} when the axes do not fit.
 * ONNX: `LogSoftmax` (opset 13) and `GatherElements`.
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return nllOp([logits, logSoftmax(logits), labels], {});
}

/**
 * The mean cross entropy over the rows whose label is not `ignoreIndex`; 0 when all are ignored.
 * @param logits - float32 [n, classes].
 * @param labels - int32 or int64 [n].
 * @returns float32 [].
 * @throws {ShapeError} when the axes do not fit.
 * Source: torch.nn.CrossEntropyLoss, whose ignore_index is -100.
 */
export function meanCrossEntropy(logits: Tensor, labels: Tensor, ignoreIndex = -100): Tensor {
  const { isIgnored, known } = splitIgnored(labels, ignoreIndex);
  const losses = crossEntropy(logits, known);
  const weights = where(isIgnored, full("float32", [], 0), full("float32", [], 1));
  const count = reduceMax(concat([reshape(reduceSum(weights), [1]), full("float32", [1], 1)], 0), [0]);
  return div(reduceSum(mul(losses, weights)), count);
}

/**
 * Whether no score of a row is above its label's, which is much cheaper than to look for the place of the highest.
 * @param logits - float32 [n, classes].
 * @param labels - int32 or int64 [n], in 0 .. classes - 1 or `ignoreIndex`.
 * @returns float32 [n]: 1, or 0, which it is for ignored labels too; it has no gradient. Scores whose log probabilities round
 *   to the same number count as equal.
 * @throws {ShapeError} when the axes do not fit.
 * ONNX: `LogSoftmax`, `GatherElements` and `ReduceMax` (opset 13).
 */
export function isHighest(logits: Tensor, labels: Tensor, ignoreIndex = -100): Tensor {
  const { isIgnored, known } = splitIgnored(labels, ignoreIndex);
  // Of the log probabilities, in the same order: with the loss beside it, nothing holds the logits any more.
  const scores = logSoftmax(logits);
  const isTop = cast(equal(atLabelsOp([scores, known], {}), reduceMax(scores, [1])), "float32");
  return where(isIgnored, full("float32", [], 0), isTop);
}

/** Which labels are ignored, and all of them with 0 in the place of these. */
function splitIgnored(labels: Tensor, ignoreIndex: number) {
  const isIgnored = equal(labels, full(labels.dtype, [], ignoreIndex));
  return { isIgnored, known: where(isIgnored, full(labels.dtype, [], 0), labels) };
}
