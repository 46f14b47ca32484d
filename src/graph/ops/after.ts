/** An order between tensors that nothing else orders: it keeps an engine from computing early what is wanted late. */
import { defineOp, type Tensor, type TensorType } from "../graph.ts";
import { zeroOf } from "./_zero-of.ts";

const afterOp = defineOp<object>({
  name: "after",
  infer: ([x]) => x as TensorType,
  vjp: () => [],
  lower: (context) => ({ opType: "Add", inputs: [context.names[0] as string, zeroOf(context, 1)] }),
});

/**
 * `x` itself, but not before `earlier` is there. No gradient flows through it: what is computed again stands in for
 * what is differentiated where it was computed first.
 * @param x - float32, any shape.
 * @param earlier - float32, any shape of one axis or more and at least one element, of finite numbers.
 * @returns float32, the shape of `x`, equal to it.
 * ONNX: `Add` of zero times the first element of `earlier` (opset 13).
 */
export function after(x: Tensor, earlier: Tensor): Tensor {
  return afterOp([x, earlier], {});
}
