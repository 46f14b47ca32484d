/**
 * What a graph costs: floating-point operations, bytes moved, parameters, and the memory that lives at once.
 *
 * The plan of memory follows each result from the node that writes it to the last one that reads it, in the order in
 * which nodes are emitted. Results have memory of their own there; an engine that works in place needs less.
 */
import { bytesPerElement, elementCount } from "../util/tensor.ts";
import { bindShape } from "./dims.ts";
import { type Graph, inputOp, type Node, type Tensor, type TensorType } from "./graph.ts";
import { constantOp, constantValue } from "./ops/constant.ts";

/** What one run of a node costs. */
export interface NodeCost {
  readonly node: Node;
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** What one run of a graph costs. */
export interface GraphCost {
  /** One entry for each node that computes something, in the order in which they run. */
  readonly nodes: readonly NodeCost[];
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** The number of weights, and their bytes. */
  readonly parameters: number;
  readonly parameterBytes: number;
  /** Tensors that are fed besides weights, and results that are handed out: memory of the caller. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** The most bytes of inner results that live at once, and the node that runs then. */
  readonly peakActivationBytes: number;
  readonly peakNode: Node | undefined;
}

/**
 * Counts what one run of a graph costs.
 * @param sizes - the size of each named axis.
 * @throws {ShapeError} when a named axis has no size.
 */
export function graphCost(graph: Graph, sizes: Readonly<Record<string, number>> = {}): GraphCost {
  const bind = ({ dtype, shape }: TensorType): BoundType => ({ dtype, shape: bindShape("cost", shape, sizes) });
  const nodes = graph.nodes.filter(computes).map((node) => nodeCost(node, bind));
  const weights = graph.inputs.filter(({ parameter }) => parameter).map(bind);
  const fed = graph.inputs.filter(({ parameter }) => !parameter).map(bind);
  return {
    nodes,
    flops: total(nodes, ({ flops }) => flops),
    bytesRead: total(nodes, ({ bytesRead }) => bytesRead),
    bytesWritten: total(nodes, ({ bytesWritten }) => bytesWritten),
    parameters: total(weights, ({ shape }) => elementCount(shape)),
    parameterBytes: total(weights, byteSize),
    inputBytes: total(fed, byteSize),
    outputBytes: total([...graph.outputs.values()], (tensor) => byteSize(bind(tensor))),
    ...planMemory(graph, (type) => byteSize(bind(type))),
  };
}

/** Whether a node computes something when the graph runs: inputs and constants do not. */
export function computes(node: Node): boolean {
  const isScalar = node.outputs[0]?.shape.length === 0;
  const isConstant = constantValue({ node, index: 0, ...(node.outputs[0] as TensorType) }) !== undefined;
  return node.operator !== inputOp.definition && node.operator !== constantOp.definition && !(isConstant && isScalar);
}

interface BoundType extends TensorType {
  readonly shape: readonly number[];
}

function byteSize({ dtype, shape }: BoundType): number {
  return elementCount(shape) * bytesPerElement(dtype);
}

function total<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

function nodeCost(node: Node, bind: (type: TensorType) => BoundType): NodeCost {
  const { operator, attributes } = node;
  const [inputs, outputs] = [node.inputs.map(bind), node.outputs.map(bind)];
  const flops = operator.flops?.(inputs, outputs, attributes) ?? elementCount((outputs[0] as BoundType).shape);
  if (operator.access === "view") return { node, flops, bytesRead: 0, bytesWritten: 0 };
  const bytesWritten = total(outputs, byteSize);
  const whole = operator.access === "part" ? inputs.slice(1) : inputs;
  const bytesRead = total(whole, byteSize) + (operator.access === "part" ? bytesWritten : 0);
  return { node, flops, bytesRead, bytesWritten };
}

/** From the node that writes a result's memory to the last node that reads it. */
function planMemory(graph: Graph, sizeOf: (type: TensorType) => number) {
  const owner = ({ node, index }: Tensor): string => {
    const source = node.operator.access === "view" ? node.inputs[0] : undefined;
    return source ? owner(source) : `${node.id}.${index}`;
  };
  const lastUse = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const source of node.inputs) lastUse.set(owner(source), i);
  });
  const handedOut = new Set([...graph.outputs.values()].map(owner));
  const freed = new Map<number, number>();
  let live = 0;
  let peakActivationBytes = 0;
  let peakNode: Node | undefined;
  graph.nodes.forEach((node, i) => {
    const allocated = computes(node) && node.operator.access !== "view" ? node.outputs : [];
    allocated.forEach((type, index) => {
      const key = `${node.id}.${index}`;
      if (handedOut.has(key)) return;
      const end = lastUse.get(key) ?? i;
      live += sizeOf(type);
      freed.set(end, (freed.get(end) ?? 0) + sizeOf(type));
    });
    if (live > peakActivationBytes) [peakActivationBytes, peakNode] = [live, node];
    live -= freed.get(i) ?? 0;
  });
  return { peakActivationBytes, peakNode };
}
