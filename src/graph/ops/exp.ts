/** Exponential, logarithm, square root. */
import { defineOp, type Tensor } from "../graph.ts";
import { div, mul, scale } from "./arithmetic.ts";

const expOp = defineOp<object>({
  name: "exp",
  infer: ([x]) => x as Tensor,
  vjp: ({ grad, outputs: [y] }) => [mul(grad, y as Tensor)],
  lower: () => ({ opType: "Exp" }),
});

const logOp = defineOp<object>({
  name: "log",
  infer: ([x]) => x as Tensor,
  vjp: ({ grad, inputs: [x] }) => [div(grad, x as Tensor)],
  lower: () => ({ opType: "Log" }),
});

const sqrtOp = defineOp<object>({
  name: "sqrt",
  infer: ([x]) => x as Tensor,
  vjp: ({ grad, outputs: [y] }) => [scale(div(grad, y as Tensor), 0.5)],
  lower: () => ({ opType: "Sqrt" }),
});

/** e to the power of each element. @param x - float32, any shape. ONNX: `Exp` (opset 13). */
export function exp(x: Tensor): Tensor {
  return expOp([x], {});
}

/** The natural logarithm of each element. @param x - float32, any shape, positive. ONNX: `Log` (opset 13). */
export function log(x: Tensor): Tensor {
  return logOp([x], {});
}

/** The square root of each element. @param x - float32, any shape, positive. ONNX: `Sqrt` (opset 13). */
export function sqrt(x: Tensor): Tensor {
  return sqrtOp([x], {});
}
