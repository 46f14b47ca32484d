/** Softmax and its logarithm over the last axis. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { product } from "../dims.ts";
import { defineOp, type Tensor, type TensorType } from "../graph.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { exp } from "./exp.ts";

const FLOPS_PER_ELEMENT = 5;

const flops = ([x]: readonly TensorType[]) => FLOPS_PER_ELEMENT * Number(product((x as TensorType).shape));

/** The shape rule of both: any tensor with an axis of classes. */
function inferSoftmax(name: string, [x]: readonly TensorType[]): TensorType {
  const { dtype, shape } = x as TensorType;
  if (shape.length > 0) return { dtype, shape };
  throw new ShapeError({
    where: name,
    expected: "a tensor of rank 1 or more",
    got: verbatim(formatType(dtype, shape)),
  });
}

const softmaxOp = defineOp<object>({
  name: "softmax",
  infer: (inputs) => inferSoftmax("softmax", inputs),
  // dx = y * (dy - sum(dy * y))
  vjp: ({ grad, outputs: [y] }) => {
    const weighted = mul(grad, y as Tensor);
    return [sub(weighted, mul(y as Tensor, reduceSum(weighted, [-1], true)))];
  },
  lower: () => ({ opType: "Softmax", attributes: { axis: { int: -1 } } }),
  flops,
});

const logSoftmaxOp = defineOp<object>({
  name: "logSoftmax",
  infer: (inputs) => inferSoftmax("logSoftmax", inputs),
  // dx = dy - softmax(x) * sum(dy)
  vjp: ({ grad, outputs: [y] }) => [sub(grad, mul(exp(y as Tensor), reduceSum(grad, [-1], true)))],
  lower: () => ({ opType: "LogSoftmax", attributes: { axis: { int: -1 } } }),
  flops,
});

/**
 * Exponentials normalised to the sum 1 along the last axis.
 * @param x - float32 [..., classes].
 * @returns float32 [..., classes], in (0, 1).
 * @throws {ShapeError} for a scalar.
 * ONNX: `Softmax` (opset 13).
 */
export function softmax(x: Tensor): Tensor {
  return softmaxOp([x], {});
}

/**
 * The logarithm of softmax along the last axis, computed without overflow.
 * @param x - float32 [..., classes].
 * @returns float32 [..., classes], at most 0.
 * @throws {ShapeError} for a scalar.
 * ONNX: `LogSoftmax` (opset 13).
 */
export function logSoftmax(x: Tensor): Tensor {
  return logSoftmaxOp([x], {});
}
