/**
 * Reverse-mode differentiation as a transformation of the graph: gradients are further symbolic tensors.
 *
 * Follows Griewank and Walther, Evaluating Derivatives, chapter 3; each operator brings its vector-Jacobian product.
 */
import { GraphError, ShapeError, verbatim } from "../errors.ts";
import { formatType } from "../util/tensor.ts";
import { sameShape } from "./dims.ts";
import { type Node, outputsOf, type Tensor, topologicalOrder } from "./graph.ts";
import { add } from "./ops/arithmetic.ts";
import { full } from "./ops/constant.ts";

/**
 * The gradients of a scalar with respect to tensors.
 * @param loss - float32 [].
 * @param wrt - the tensors to differentiate by, usually parameters.
 * @returns one tensor for each of `wrt`, of its shape; zeros where the loss does not depend on it.
 * @throws {ShapeError} when `loss` is no float32 scalar.
 * @throws {GraphError} when an operator on the way has no gradient.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): readonly Tensor[] {
  if (loss.shape.length > 0 || loss.dtype !== "float32") {
    throw new ShapeError({
      where: "gradients: loss",
      expected: "float32[]",
      got: verbatim(formatType(loss.dtype, loss.shape)),
    });
  }
  return vectorJacobianProduct(loss, full("float32", [], 1), wrt);
}

/**
 * The gradients of `sum(output * seed)` with respect to tensors.
 * @param output - float32, any shape.
 * @param seed - float32, the shape of `output`.
 * @param leaf - a tensor that is taken as given: the gradient goes to it, if asked for, but not through it. What lies between was
 *   computed for this gradient then, and none of it is computed once more.
 * @returns one tensor for each of `wrt`, of its shape; zeros where `output` does not depend on it.
 * @throws {ShapeError} when `seed` has another shape than `output`.
 * @throws {GraphError} when an operator on the way has no gradient.
 */
export function vectorJacobianProduct(
  output: Tensor,
  seed: Tensor,
  wrt: readonly Tensor[],
  leaf?: Tensor,
): readonly Tensor[] {
  if (!sameShape(seed.shape, output.shape)) {
    throw new ShapeError({
      where: "gradients: seed",
      expected: formatType("float32", output.shape),
      got: verbatim(formatType(seed.dtype, seed.shape)),
    });
  }
  const order = topologicalOrder([output]);
  const needed = nodesThatDependOn(order, wrt);
  const gradientOf = new Map<string, Tensor>([[key(output), seed]]);
  const kept = leaf ? undefined : new KeptTensors();
  for (const node of order.reverse()) {
    if (node === leaf?.node || !node.inputs.some((source) => needed.has(source.node))) continue;
    const grads = outputsOf(node).map((tensor) => gradientOf.get(key(tensor)));
    if (grads.every((grad) => grad === undefined)) continue;
    const inputs = kept?.inputsOf(node, grads) ?? node.inputs;
    const inputGrads = applyVjp(node, inputs, grads, (i) => needed.has((node.inputs[i] as Tensor).node));
    node.inputs.forEach((source, i) => {
      const contribution = inputGrads[i];
      if (!contribution || !needed.has(source.node)) return;
      const sum = gradientOf.get(key(source));
      gradientOf.set(key(source), sum ? accumulate(sum, contribution) : contribution);
    });
  }
  return wrt.map((tensor) => gradientOf.get(key(tensor)) ?? full("float32", tensor.shape, 0));
}

function key({ node, index }: Tensor): string {
  return `${node.id}.${index}`;
}

/** The sum of two gradients; an operator that can add onto a tensor (a scatter) does so without an array of zeros. */
function accumulate(sum: Tensor, contribution: Tensor): Tensor {
  const onto = (tensor: Tensor, rest: Tensor) => tensor.node.operator.addTo?.(tensor.node.inputs, rest);
  return onto(contribution, sum) ?? onto(sum, contribution) ?? add(sum, contribution);
}

function nodesThatDependOn(order: readonly Node[], wrt: readonly Tensor[]): Set<Node> {
  const needed = new Set<Node>(wrt.map(({ node }) => node));
  for (const node of order) if (node.inputs.some((source) => needed.has(source.node))) needed.add(node);
  return needed;
}

/** What gradients read of the forward pass: the tensors themselves, but those that cost little are computed again. */
class KeptTensors {
  readonly #rematerialized = new Map<string, Tensor>();

  /** The inputs of a node, for its gradient. @param grads - of its outputs: nothing is computed again before them. */
  inputsOf({ operator, inputs }: Node, grads: readonly (Tensor | undefined)[]): readonly Tensor[] {
    // A view reads no values; and recomputation knows the activation that enters a segment by its node.
    if (operator.access === "view") return inputs;
    const earlier = grads.find((grad) => grad !== undefined && grad.shape.length > 0);
    return earlier === undefined ? inputs : inputs.map((source) => this.#rematerialize(source, earlier));
  }

  /** Once for all nodes that read it, when the first of them wants it. */
  #rematerialize(source: Tensor, earlier: Tensor): Tensor {
    const { operator, inputs, attributes } = source.node;
    if (source.index > 0 || !operator.rematerialize) return source;
    const known = this.#rematerialized.get(key(source)) ?? operator.rematerialize(inputs, attributes, earlier);
    this.#rematerialized.set(key(source), known);
    return known;
  }
}

function applyVjp(
  node: Node,
  inputs: readonly Tensor[],
  grads: readonly (Tensor | undefined)[],
  wants: (input: number) => boolean,
) {
  const { operator, attributes } = node;
  if (!operator.vjp) {
    throw new GraphError({
      where: `gradients: ${operator.name}`,
      expected: "an operator with a gradient",
      got: verbatim("none"),
      hint: "keep this operator off the path from the parameters to the loss",
    });
  }
  const contributions = operator.vjp({
    grad: grads[0] as Tensor,
    grads,
    inputs,
    outputs: outputsOf(node),
    attributes,
    wants,
  });
  contributions.forEach((contribution, i) => {
    const source = inputs[i] as Tensor;
    if (contribution && !sameShape(contribution.shape, source.shape)) {
      throw new ShapeError({
        where: `gradients: ${operator.name}: input ${i}`,
        expected: formatType(source.dtype, source.shape),
        got: verbatim(formatType(contribution.dtype, contribution.shape)),
      });
    }
  });
  return contributions;
}
