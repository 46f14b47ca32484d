/** Slices of one axis, concatenation, and splitting. */
import { GraphError, ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { type Dim, normalizeAxis, type Shape } from "../dims.ts";
import { defineOp, type Tensor, type TensorType } from "../graph.ts";
import { full } from "./constant.ts";

interface SliceAttributes {
  readonly axis: number;
  readonly start: number;
  /** The size of the slice; a named dim is taken from the run's inputs, and then `start` is 0. */
  readonly size: Dim;
}

function withAxis(shape: Shape, axis: number, size: Dim): Shape {
  return shape.map((dim, i) => (i === axis ? size : dim));
}

const sliceOp = defineOp<SliceAttributes>({
  name: "slice",
  infer: ([x], { axis, size }) => {
    const { dtype, shape } = x as TensorType;
    return { dtype, shape: withAxis(shape, axis, size) };
  },
  vjp: ({ grad, inputs: [x], attributes: { axis, start, size } }) => {
    const { shape } = x as Tensor;
    const [total, taken] = [shape[axis] as Dim, size];
    if (typeof total !== "number" || typeof taken !== "number") {
      throw new GraphError({
        where: "gradients: slice",
        expected: "an axis and a slice of known sizes",
        got: verbatim(`${taken} of ${total}`),
        hint: "build training graphs with numbers for batch and sequence",
      });
    }
    const before = full("float32", withAxis(shape, axis, start), 0);
    const after = full("float32", withAxis(shape, axis, total - start - taken), 0);
    return [concat([...(start > 0 ? [before] : []), grad, ...(start + taken < total ? [after] : [])], axis)];
  },
  lower: ({ names: [x], attributes: { axis, start, size }, int64s, shape }) => ({
    opType: "Slice",
    inputs: [
      x as string,
      int64s([start]),
      typeof size === "number" ? int64s([start + size]) : shape([size]),
      int64s([axis]),
    ],
  }),
  simplify: ([x], { axis, size }) => ((x as Tensor).shape[axis] === size ? x : undefined),
  flops: () => 0,
  access: "part",
});

function isCount(size: number): boolean {
  return Number.isInteger(size) && size >= 0;
}

/**
 * The elements from `start`, `size` of them, along one axis.
 * @param size - a number, or a named dim (then `start` is 0).
 * @throws {ShapeError} when the slice is not inside of the axis.
 * ONNX: `Slice` (opset 13).
 */
export function slice(x: Tensor, axis: number, start: number, size: Dim): Tensor {
  const at = normalizeAxis("slice", axis, x.shape.length);
  const total = x.shape[at] as Dim;
  const outside = typeof total === "number" && typeof size === "number" && start + size > total;
  const whole = Number.isInteger(start) && start >= 0 && (typeof size === "string" ? start === 0 : isCount(size));
  if (!whole || outside) {
    throw new ShapeError({
      where: "slice",
      expected: `a range inside of axis ${at} of ${formatType(x.dtype, x.shape)}`,
      got: verbatim(`${start} to ${start}+${size}`),
    });
  }
  return sliceOp([x], { axis: at, start, size });
}

const concatOp = defineOp<{ readonly axis: number }>({
  name: "concat",
  infer: (inputs, { axis }) => {
    const { dtype, shape } = inputs[0] as TensorType;
    const sizes = inputs.map((tensor) => tensor.shape[axis] as Dim);
    return {
      dtype,
      shape: withAxis(
        shape,
        axis,
        sizes.reduce<number>((total, size) => total + Number(size), 0),
      ),
    };
  },
  vjp: ({ grad, inputs, attributes: { axis } }) => {
    let start = 0;
    return inputs.map(({ shape }) => {
      const size = shape[axis] as number;
      start += size;
      return slice(grad, axis, start - size, size);
    });
  },
  lower: ({ attributes: { axis } }) => ({ opType: "Concat", attributes: { axis: { int: axis } } }),
  simplify: (inputs) => (inputs.length === 1 ? inputs[0] : undefined),
  flops: () => 0,
});

/**
 * Tensors one after another along an axis of known size; the other axes are equal.
 * @throws {ShapeError} when there is no tensor, or when the other axes or the dtypes differ.
 * ONNX: `Concat` (opset 13).
 */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors;
  if (!first) throw new ShapeError({ where: "concat", expected: "at least one tensor", got: verbatim("none") });
  const at = normalizeAxis("concat", axis, first.shape.length);
  for (const { dtype, shape } of tensors) {
    const fits = shape.length === first.shape.length && shape.every((dim, i) => i === at || dim === first.shape[i]);
    if (!fits || dtype !== first.dtype || typeof shape[at] !== "number") {
      throw new ShapeError({
        where: "concat",
        expected: `tensors like ${formatType(first.dtype, first.shape)} with a known size on axis ${at}`,
        got: verbatim(formatType(dtype, shape)),
      });
    }
  }
  return concatOp(tensors, { axis: at });
}

/**
 * A tensor cut into parts along an axis.
 * @param sizes - of the parts; their sum is the size of the axis.
 * @throws {ShapeError} when the sum differs.
 * ONNX: one `Slice` (opset 13) for each part.
 */
export function split(x: Tensor, axis: number, sizes: readonly number[]): readonly Tensor[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== x.shape[normalizeAxis("split", axis, x.shape.length)]) {
    throw new ShapeError({
      where: "split",
      expected: `sizes that sum to axis ${axis} of ${formatType(x.dtype, x.shape)}`,
      got: verbatim(`[${sizes.join(", ")}]`),
    });
  }
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return slice(x, axis, start - size, size);
  });
}
