/** Transposition: the axes in another order. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { defineOp, type Tensor, type TensorType } from "../graph.ts";

const transposeOp = defineOp<{ readonly perm: readonly number[] }>({
  name: "transpose",
  infer: ([x], { perm }) => {
    const { dtype, shape } = x as TensorType;
    return { dtype, shape: perm.map((axis) => shape[axis] as number) };
  },
  vjp: ({ grad, attributes: { perm } }) => [transpose(grad, inverse(perm))],
  lower: ({ attributes: { perm } }) => ({ opType: "Transpose", attributes: { perm: { ints: perm } } }),
  simplify: ([x], { perm }) => {
    const { node } = x as Tensor;
    if (perm.every((axis, i) => axis === i)) return x;
    if (node.operator !== transposeOp.definition) return undefined;
    const inner: readonly number[] = node.attributes.perm;
    return transpose(
      node.inputs[0] as Tensor,
      perm.map((axis) => inner[axis] as number),
    );
  },
  flops: () => 0,
});

function inverse(perm: readonly number[]): number[] {
  const inverted = perm.map(() => 0);
  perm.forEach((axis, i) => {
    inverted[axis] = i;
  });
  return inverted;
}

/**
 * A tensor with its axes in another order: axis i of the result is axis `perm[i]` of `x`.
 * @throws {ShapeError} when `perm` is no permutation of the axes.
 * ONNX: `Transpose` (opset 13).
 */
export function transpose(x: Tensor, perm: readonly number[]): Tensor {
  if ([...perm].sort((a, b) => a - b).some((axis, i) => axis !== i) || perm.length !== x.shape.length) {
    throw new ShapeError({
      where: "transpose",
      expected: `a permutation of the axes of ${formatType(x.dtype, x.shape)}`,
      got: verbatim(`[${perm.join(", ")}]`),
    });
  }
  return transposeOp([x], { perm });
}
