/** Summation and broadcasting, each the other's gradient. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { broadcastShapes, normalizeAxis, product, type Shape, sameShape } from "../dims.ts";
import { defineOp, type Tensor, type TensorType } from "../graph.ts";
import { constantValue, full } from "./constant.ts";
import { reshape } from "./reshape.ts";

/** Which axes a reduction takes away, and whether they stay as 1. */
export interface ReduceAttributes {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** The shape rule of every reduction. */
export function inferReduce([x]: readonly TensorType[], { axes, keepDims }: ReduceAttributes): TensorType {
  const { dtype, shape } = x as TensorType;
  const kept = keepDims ? withOnes(shape, axes) : shape.filter((_, i) => !axes.includes(i));
  return { dtype, shape: kept };
}

/** A shape with some axes set to 1. */
export function withOnes(shape: Shape, axes: readonly number[]): Shape {
  return shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
}

/** A reduction over no axes is the tensor itself; to ONNX no axes would mean all of them. */
export function simplifyReduce([x]: readonly Tensor[], { axes }: ReduceAttributes): Tensor | undefined {
  return axes.length === 0 ? x : undefined;
}

/** Axes counted from the front, ascending. @throws {ShapeError} for an axis outside of the rank, or one named twice. */
export function normalizeAxes(where: string, x: TensorType, axes: readonly number[]): readonly number[] {
  const normalized = axes.map((axis) => normalizeAxis(where, axis, x.shape.length)).sort((a, b) => a - b);
  if (new Set(normalized).size === axes.length) return normalized;
  throw new ShapeError({
    where,
    expected: `different axes of ${formatType(x.dtype, x.shape)}`,
    got: verbatim(`[${axes.join(", ")}]`),
  });
}

const reduceSumOp = defineOp<ReduceAttributes>({
  name: "reduceSum",
  infer: inferReduce,
  vjp: ({ grad, inputs: [x], attributes: { axes } }) => {
    const { shape } = x as Tensor;
    return [broadcastTo(reshape(grad, withOnes(shape, axes)), shape)];
  },
  lower: ({ names, attributes: { axes, keepDims }, int64s }) => ({
    opType: "ReduceSum",
    inputs: [names[0] as string, int64s(axes)],
    attributes: { keepdims: { int: keepDims ? 1 : 0 } },
  }),
  simplify: simplifyReduce,
  flops: ([x]) => Number(product((x as TensorType).shape)),
});

/**
 * The sum over axes.
 * @param axes - negative ones count from the back; all of them when left out.
 * @throws {ShapeError} for an axis outside of the rank.
 * ONNX: `ReduceSum` (opset 13).
 */
export function reduceSum(x: Tensor, axes: readonly number[] = x.shape.map((_, i) => i), keepDims = false): Tensor {
  return reduceSumOp([x], { axes: normalizeAxes("reduceSum", x, axes), keepDims });
}

const broadcastOp = defineOp<{ readonly shape: Shape }>({
  name: "broadcastTo",
  infer: ([x], { shape }) => ({ dtype: (x as TensorType).dtype, shape }),
  vjp: ({ grad, inputs: [x] }) => [unbroadcast(grad, (x as Tensor).shape)],
  lower: ({ names, attributes, shape }) => ({
    opType: "Expand",
    inputs: [names[0] as string, shape(attributes.shape)],
  }),
  simplify: ([x], { shape }) => {
    const source = x as Tensor;
    const value = constantValue(source);
    if (value !== undefined) return full(source.dtype, shape, value);
    return sameShape(source.shape, shape) ? source : undefined;
  },
  flops: () => 0,
});

/**
 * A tensor repeated along axes of size 1, and along new axes in front.
 * @throws {ShapeError} when it does not broadcast to the shape.
 * ONNX: `Expand` (opset 13).
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes("broadcastTo", x.shape, shape), shape)) {
    throw new ShapeError({
      where: "broadcastTo",
      expected: `a tensor that broadcasts to [${shape.join(", ")}]`,
      got: verbatim(formatType(x.dtype, x.shape)),
    });
  }
  return broadcastOp([x], { shape });
}

/** What was broadcast, for operators that broadcast by themselves; the tensor itself when it was not. */
export function beforeBroadcast(x: Tensor): Tensor {
  return x.node.operator === broadcastOp.definition ? (x.node.inputs[0] as Tensor) : x;
}

/** Sums a gradient over the axes along which its input was broadcast. */
export function unbroadcast(grad: Tensor, shape: Shape): Tensor {
  if (sameShape(grad.shape, shape)) return grad;
  const extra = grad.shape.length - shape.length;
  const axes = grad.shape.flatMap((dim, i) => (i < extra || (shape[i - extra] === 1 && dim !== 1) ? [i] : []));
  return reshape(reduceSum(grad, axes), shape);
}
