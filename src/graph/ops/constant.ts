/** Constants: a value repeated over a shape, and small tensors given by their elements. */
import { ShapeError, verbatim } from "../../errors.ts";
import type { DType } from "../../util/tensor.ts";
import type { Shape } from "../dims.ts";
import { defineOp, type Tensor } from "../graph.ts";

interface FullAttributes {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly value: number;
}

const fullOp = defineOp<FullAttributes>({
  name: "full",
  infer: (_, { dtype, shape }) => ({ dtype, shape }),
  lower: ({ attributes: { dtype, shape, value }, ...context }) => {
    const scalar = context.scalar(dtype, value);
    return shape.length === 0 ? { alias: scalar } : { opType: "Expand", inputs: [scalar, context.shape(shape)] };
  },
  flops: () => 0,
});

/**
 * A tensor of one value.
 * @returns `dtype` of the given shape.
 * ONNX: `Expand` (opset 13) of a scalar.
 */
export function full(dtype: DType, shape: Shape, value: number): Tensor {
  return fullOp([], { dtype, shape, value });
}

/** The value of a tensor made by `full`, or undefined for any other tensor. */
export function constantValue(tensor: Tensor): number | undefined {
  return tensor.node.operator === fullOp.definition ? (tensor.node.attributes as FullAttributes).value : undefined;
}

interface ConstantAttributes {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** The operator `constant`; lowering stores its values as an initialiser. */
export const constantOp = defineOp<ConstantAttributes>({
  name: "constant",
  infer: (_, { dtype, shape }) => ({ dtype, shape }),
  lower: ({ attributes, constant }) => ({ alias: constant(attributes.dtype, attributes.shape, attributes.values) }),
  flops: () => 0,
});

/**
 * A small tensor given by its elements.
 * @param values - in row-major order.
 * @throws {ShapeError} when their number is not the product of the shape.
 * ONNX: an initialiser.
 */
export function constant(dtype: DType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  const count = shape.reduce((total, size) => total * size, 1);
  if (values.length !== count) {
    throw new ShapeError({ where: "constant", expected: `${count} elements`, got: verbatim(`${values.length}`) });
  }
  return constantOp([], { dtype, shape, values });
}
