/** Reductions besides the sum: mean, maximum, and sums of what is given as logarithms. */
import { GraphError } from "../../errors.ts";
import { product } from "../dims.ts";
import { defineOp, type LowerContext, type LoweredNode, type Tensor, type TensorType } from "../graph.ts";
import { mul, scale, sub } from "./arithmetic.ts";
import {
  broadcastTo,
  inferReduce,
  normalizeAxes,
  type ReduceAttributes,
  simplifyReduce,
  withOnes,
} from "./broadcast.ts";
import { exp } from "./exp.ts";
import { cast, equal } from "./logic.ts";
import { reshape } from "./reshape.ts";

const elementsIn = ([x]: readonly TensorType[]) => Number(product((x as TensorType).shape));

/** Since this version of ONNX the axes of every reduction are an input; that of ReduceSum came before. */
const AXES_INPUT_OPSET = 18;

function lowerWithAxes(opType: string) {
  return ({ names, target, int64s, attributes }: LowerContext<ReduceAttributes>): LoweredNode => {
    const keepdims = { int: attributes.keepDims ? 1 : 0 };
    return target.opset >= AXES_INPUT_OPSET
      ? { opType, inputs: [names[0] as string, int64s(attributes.axes)], attributes: { keepdims } }
      : { opType, attributes: { axes: { ints: attributes.axes }, keepdims } };
  };
}

const reduceMeanOp = defineOp<ReduceAttributes>({
  name: "reduceMean",
  infer: inferReduce,
  vjp: ({ grad, inputs: [x], attributes: { axes } }) => {
    const { shape } = x as Tensor;
    const count = product(axes.map((axis) => shape[axis] as number));
    if (typeof count !== "number") {
      throw new GraphError({
        where: "gradients: reduceMean",
        expected: "axes of known size",
        got: count,
        hint: "build training graphs with numbers for batch and sequence",
      });
    }
    return [broadcastTo(scale(reshape(grad, withOnes(shape, axes)), 1 / count), shape)];
  },
  lower: lowerWithAxes("ReduceMean"),
  simplify: simplifyReduce,
  flops: elementsIn,
});

const reduceMaxOp = defineOp<ReduceAttributes>({
  name: "reduceMax",
  infer: inferReduce,
  vjp: ({ grad, inputs: [x], outputs: [max], attributes: { axes } }) => {
    const source = x as Tensor;
    const kept = withOnes(source.shape, axes);
    const isMax = cast(equal(source, reshape(max as Tensor, kept)), "float32");
    return [mul(isMax, reshape(grad, kept))];
  },
  lower: lowerWithAxes("ReduceMax"),
  simplify: simplifyReduce,
  flops: elementsIn,
});

const FLOPS_OF_EXPONENTIAL = 4;

const logSumExpOp = defineOp<ReduceAttributes>({
  name: "logSumExp",
  infer: inferReduce,
  // d y / d x = exp(x - y): the softmax over the axes
  vjp: ({ grad, inputs: [x], outputs: [y], attributes: { axes } }) => {
    const source = x as Tensor;
    const kept = withOnes(source.shape, axes);
    return [mul(exp(sub(source, reshape(y as Tensor, kept))), reshape(grad, kept))];
  },
  lower: lowerWithAxes("ReduceLogSumExp"),
  simplify: simplifyReduce,
  flops: (inputs) => FLOPS_OF_EXPONENTIAL * elementsIn(inputs),
});

/**
 * The mean over axes.
 * @param axes - negative ones count from the back; all of them when left out.
 * @throws {ShapeError} for an axis outside of the rank.
 * ONNX: `ReduceMean` (opset 13).
 */
export function reduceMean(x: Tensor, axes: readonly number[] = x.shape.map((_, i) => i), keepDims = false): Tensor {
  return reduceMeanOp([x], { axes: normalizeAxes("reduceMean", x, axes), keepDims });
}

/**
 * The maximum over axes; equal maxima each get the whole gradient.
 * @throws {ShapeError} for an axis outside of the rank.
 * ONNX: `ReduceMax` (opset 13).
 */
export function reduceMax(x: Tensor, axes: readonly number[], keepDims = false): Tensor {
  return reduceMaxOp([x], { axes: normalizeAxes("reduceMax", x, axes), keepDims });
}

/**
 * The logarithm of the sum of exponentials over axes, computed without overflow.
 * @param axes - negative ones count from the back; each has at least one element that is finite.
 * @throws {ShapeError} for an axis outside of the rank.
 * ONNX: `ReduceLogSumExp` (opset 13).
 */
export function logSumExp(x: Tensor, axes: readonly number[], keepDims = false): Tensor {
  return logSumExpOp([x], { axes: normalizeAxes("logSumExp", x, axes), keepDims });
}
