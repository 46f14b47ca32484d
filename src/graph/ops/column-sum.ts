/** The sums of a matrix's columns: the gradient of a row of biases. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { product } from "../dims.ts";
import { defineOp, type LowerContext, type LoweredNode, type Tensor, type TensorType } from "../graph.ts";
import { broadcastTo } from "./broadcast.ts";

const columnSumOp = defineOp<object>({
  name: "columnSum",
  infer: ([input]) => {
    const { dtype, shape } = input as TensorType;
    if (shape.length === 2) return { dtype, shape: shape.slice(1) };
    throw new ShapeError({ where: "columnSum", expected: "a matrix", got: verbatim(formatType(dtype, shape)) });
  },
  vjp: ({ grad, inputs: [x] }) => [broadcastTo(grad, (x as Tensor).shape)],
  lower: lowerColumnSum,
  flops: ([x]) => Number(product((x as TensorType).shape)),
});

/**
 * As a product with ones where the engine has bfloat16 for products: what a reduction reads without a product between it
 * and an output of the graph, OpenVINO keeps in float32, and that of the biases would be most of the backward pass. Sums
 * inside of a product are float32.
 */
function lowerColumnSum({ names, inputs, target, emit, int64s, constant }: LowerContext<object>): LoweredNode {
  const [rows] = (inputs[0] as Tensor).shape;
  if (!target.bfloat16Products || typeof rows !== "number") {
    return { opType: "ReduceSum", inputs: [names[0] as string, int64s([0])], attributes: { keepdims: { int: 0 } } };
  }
  const ones = constant("float32", [1, rows], new Float32Array(rows).fill(1));
  const row = emit({ opType: "MatMul", inputs: [ones, names[0] as string] });
  return { opType: "Squeeze", inputs: [row, int64s([0])] };
}

/**
 * The sum over the rows of a matrix.
 * @param x - float32 [rows, columns].
 * @returns float32 [columns].
 * @throws {ShapeError} when `x` is no matrix.
 * ONNX: `ReduceSum` (opset 13), or `MatMul` with ones.
 */
export function columnSum(x: Tensor): Tensor {
  return columnSumOp([x], {});
}
