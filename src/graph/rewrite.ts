/** A graph with some of its nodes replaced: the form in which a finished graph is changed for a purpose. */
import { type Graph, makeNode, type Node, outputsOf, type Tensor } from "./graph.ts";

/**
 * The outputs of a graph in which other tensors stand for the first outputs of chosen nodes.
 * @param replace - is given each node, inputs before users, and what its inputs have become; undefined keeps the node's operator.
 * @returns the outputs by name, for `buildGraph`.
 */
export function rewriteGraph(
  { nodes, outputs }: Graph,
  replace: (node: Node, inputs: readonly Tensor[]) => Tensor | undefined,
): Record<string, Tensor> {
  const changed = new Map<Node, readonly Tensor[]>();
  const current = ({ node, index }: Tensor) => changed.get(node)?.[index] as Tensor;
  for (const node of nodes) {
    const inputs = node.inputs.map(current);
    const replaced = replace(node, inputs);
    if (replaced !== undefined) {
      changed.set(node, [replaced]);
      continue;
    }
    const isSame = inputs.every((tensor, i) => tensor.node === node.inputs[i]?.node);
    changed.set(node, outputsOf(isSame ? node : makeNode(node.operator, inputs, node.attributes)));
  }
  return Object.fromEntries([...outputs].map(([name, tensor]) => [name, current(tensor)]));
}
