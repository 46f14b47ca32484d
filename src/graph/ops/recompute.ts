/**
 * Recomputation: a part of the graph whose inner results are not kept for the gradient but computed again.
 *
 * Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, section 3.
 */
import { vectorJacobianProduct } from "../autodiff.ts";
import { defineOp, type OperatorDefinition, type Tensor, type TensorType } from "../graph.ts";
import { add, scale } from "./arithmetic.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

/** A part of a graph, from its inputs (activations first, then parameters) to its one output. */
export type Segment = (inputs: readonly Tensor[]) => Tensor;

const recomputeOp = defineOp<{ readonly segment: Segment }>({
  name: "recompute",
  infer: ([output]) => output as TensorType,
  vjp: ({ grad, inputs: [, x, ...rest], attributes: { segment } }) => {
    const again = [after(x as Tensor, grad), ...rest];
    return [undefined, ...vectorJacobianProduct(segment(again), grad, again)];
  },
  lower: ({ names: [output] }) => ({ alias: output as string }),
  flops: () => 0,
} satisfies OperatorDefinition<{ readonly segment: Segment }>);

/** `x` itself, but not before `grad` is there: it keeps the engine from recomputing early. */
function after(x: Tensor, grad: Tensor): Tensor {
  let first = grad;
  grad.shape.forEach((_, axis) => {
    first = slice(first, axis, 0, 1);
  });
  return add(x, scale(reshape(first, []), 0));
}

/**
 * The output of a segment; its gradient computes the segment again instead of keeping what is inside.
 * @param segment - a pure function of its inputs.
 * @param inputs - the activation that enters first, then everything else that the segment uses.
 * @returns what `segment(inputs)` returns, bit for bit.
 */
export function recompute(segment: Segment, inputs: readonly Tensor[]): Tensor {
  return recomputeOp([segment(inputs), ...inputs], { segment });
}
