/** The Gauss error function. */
import { defineOp, type Tensor } from "../graph.ts";
import { mul, scale } from "./arithmetic.ts";
import { exp } from "./exp.ts";

const erfOp = defineOp<object>({
  name: "erf",
  infer: ([x]) => x as Tensor,
  // d erf(x) / dx = 2 / sqrt(pi) * exp(-x^2)
  vjp: ({ grad, inputs: [x] }) => {
    const source = x as Tensor;
    return [mul(grad, scale(exp(mul(source, scale(source, -1))), 2 / Math.sqrt(Math.PI)))];
  },
  lower: () => ({ opType: "Erf" }),
});

/**
 * The Gauss error function of each element.
 * @param x - float32, any shape.
 * @returns float32, the shape of `x`, in (-1, 1).
 * ONNX: `Erf` (opset 13). Source: the exact form of gelu (Hendrycks and Gimpel 2016).
 */
export function erf(x: Tensor): Tensor {
  return erfOp([x], {});
}
