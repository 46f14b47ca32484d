/** The hyperbolic tangent. */
import { defineOp, type Tensor } from "../graph.ts";
import { mul, sub } from "./arithmetic.ts";
import { full } from "./constant.ts";

const tanhOp = defineOp<object>({
  name: "tanh",
  infer: ([x]) => x as Tensor,
  // d tanh(x) / dx = 1 - tanh(x)^2
  vjp: ({ grad, outputs: [y] }) => [mul(grad, sub(full("float32", [], 1), mul(y as Tensor, y as Tensor)))],
  lower: () => ({ opType: "Tanh" }),
});

/** The hyperbolic tangent of each element. @param x - float32, any shape. ONNX: `Tanh` (opset 13). */
export function tanh(x: Tensor): Tensor {
  return tanhOp([x], {});
}
