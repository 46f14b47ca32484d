/** Reshape: the same elements, in the same order, under other axes. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { type Dim, product, quotient, type Shape, sameShape } from "../dims.ts";
import { defineOp, type OperatorFunction, type Tensor } from "../graph.ts";

const reshapeOp: OperatorFunction<{ readonly shape: Shape }> = defineOp<{ readonly shape: Shape }>({
  name: "reshape",
  infer: ([x], { shape }) => ({ dtype: (x as Tensor).dtype, shape }),
  vjp: ({ grad, inputs: [x] }) => [reshape(grad, (x as Tensor).shape)],
  lower: ({ names, attributes: { shape }, ...context }) => ({
    opType: "Reshape",
    inputs: [names[0] as string, context.shape(shape)],
  }),
  simplify: ([x], { shape }) => {
    const { node, shape: from } = x as Tensor;
    if (sameShape(from, shape)) return x;
    return node.operator === reshapeOp.definition ? reshape(node.inputs[0] as Tensor, shape) : undefined;
  },
  flops: () => 0,
  access: "view",
});

/**
 * The elements of a tensor under another shape.
 * @param shape - one axis may be -1: what is left over.
 * @throws {ShapeError} when the number of elements differs.
 * ONNX: `Reshape` (opset 14).
 */
export function reshape(x: Tensor, shape: readonly Dim[]): Tensor {
  const known = product(shape.filter((dim) => dim !== -1));
  const total = product(x.shape);
  const rest = quotient(total, known);
  const inferred = shape.map((dim) => (dim === -1 ? (rest ?? -1) : dim));
  if (product(inferred) !== total) {
    throw new ShapeError({
      where: "reshape",
      expected: `as many elements as ${formatType(x.dtype, x.shape)}`,
      got: verbatim(`[${shape.join(", ")}]`),
    });
  }
  return reshapeOp([x], { shape: inferred });
}
