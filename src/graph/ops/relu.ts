/** The rectifier. */
import { defineOp, type Tensor } from "../graph.ts";
import { full } from "./constant.ts";
import { less, where } from "./logic.ts";

const reluOp = defineOp<object>({
  name: "relu",
  infer: ([x]) => x as Tensor,
  vjp: ({ grad, inputs: [x] }) => {
    const zero = full("float32", [], 0);
    return [where(less(zero, x as Tensor), grad, zero)];
  },
  lower: () => ({ opType: "Relu" }),
});

/** max(x, 0) of each element. @param x - float32, any shape. ONNX: `Relu` (opset 14). */
export function relu(x: Tensor): Tensor {
  return reluOp([x], {});
}
