/**
 * Recomputation: a part of the graph whose inner results are not kept for the gradient but computed again.
 *
 * Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, section 3.
 */
import { vectorJacobianProduct } from "../autodiff.ts";
import { defineOp, inputOp, type Tensor, type TensorType } from "../graph.ts";
import { after } from "./after.ts";
import { add } from "./arithmetic.ts";

/** A part of a graph, from the activation that enters it to its one output; it may use other tensors besides. */
export type Segment = (x: Tensor) => Tensor;

const recomputeOp = defineOp<{ readonly segment: Segment }>({
  name: "recompute",
  infer: ([output]) => output as TensorType,
  vjp: ({ grad, inputs: [, x, ...parameters], attributes: { segment } }) => {
    const entered = x as Tensor;
    const again = after(entered, grad);
    // What enters from the side may depend on x too: that part of its gradient ends at x, from where it goes on once.
    const wrt = [again, entered, ...parameters];
    const [inner, beside, ...rest] = vectorJacobianProduct(segment(again), grad, wrt, entered);
    return [undefined, add(inner as Tensor, beside as Tensor), ...rest];
  },
  lower: ({ names: [output] }) => ({ alias: output as string }),
  flops: () => 0,
  access: "view",
});

/** The parameters between an output and the activation that entered. */
function parametersBetween(output: Tensor, x: Tensor): Tensor[] {
  const found = new Map<number, Tensor>();
  const seen = new Set([x.node]);
  const pending = [output];
  for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
    const { node } = tensor;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.operator === inputOp.definition && node.attributes.parameter) found.set(node.id, tensor);
    pending.push(...node.inputs);
  }
  return [...found.values()];
}

/**
 * The output of a segment; its gradient computes the segment again instead of keeping what is inside.
 * @param segment - a pure function; it takes the same parameter tensors at each call.
 * @param x - the activation that enters, any shape.
 * @returns what `segment(x)` returns, bit for bit.
 */
export function recompute(segment: Segment, x: Tensor): Tensor {
  const output = segment(x);
  return recomputeOp([output, x, ...parametersBetween(output, x)], { segment });
}
