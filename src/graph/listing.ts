/** A graph as text: one line for each node, in the order in which they run; and summed up by operator. */
import { formatType } from "../util/tensor.ts";
import type { GraphCost } from "./cost.ts";
import { computes } from "./cost.ts";
import { type Graph, type InputAttributes, inputOp, type Node, type Tensor, type TensorType } from "./graph.ts";
import { constantOp, constantValue } from "./ops/constant.ts";

/** One node of a listing; tensors are named `%12`, `%12.1` for a further output, or by their input's name. */
export interface ListedNode {
  readonly node: Node;
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  /** Such as `transB` and `alpha=0.125`. */
  readonly attributes: readonly string[];
  /** Such as `float32[batch*seq, 312]`. */
  readonly type: string;
}

/** A graph's nodes, named and in order, and the names of its outputs. */
export interface Listing {
  readonly nodes: readonly ListedNode[];
  /** From an output's name to that of its tensor. */
  readonly outputs: ReadonlyMap<string, string>;
}

const MAX_SHOWN_VALUES = 6;

/** Names the nodes of a graph. Inputs and constants are no nodes of the listing: they stand where they are used. */
export function listGraph(graph: Graph): Listing {
  const listed = graph.nodes.filter(computes);
  const places = new Map(listed.map((node, place) => [node, place]));
  const nameOf = ({ node, index }: Tensor): string => {
    const place = places.get(node);
    if (place === undefined) return leafName(node);
    return index > 0 ? `%${place}.${index}` : `%${place}`;
  };
  const nodes = listed.map((node): ListedNode => {
    const [first] = node.outputs as [TensorType];
    const { operator, attributes } = node;
    return {
      node,
      name: `%${places.get(node)}`,
      operator: operator.name,
      inputs: node.inputs.map(nameOf),
      attributes: describeAttributes(attributes, first),
      type: formatType(first.dtype, first.shape),
    };
  });
  return { nodes, outputs: new Map([...graph.outputs].map(([name, tensor]) => [name, nameOf(tensor)])) };
}

function leafName(node: Node): string {
  if (node.operator === inputOp.definition) return (node.attributes as InputAttributes).name;
  if (node.operator === constantOp.definition) return showValues(node.attributes.values);
  return String(constantValue({ node, index: 0, ...(node.outputs[0] as TensorType) }));
}

function showValues(values: ArrayLike<number>): string {
  const shown = Array.from(values).slice(0, MAX_SHOWN_VALUES);
  const rest = values.length > shown.length ? `, ... ${values.length}` : "";
  return `[${shown.join(", ")}${rest}]`;
}

/** Attributes that say more than the type of the result does. */
function describeAttributes(attributes: Readonly<Record<string, unknown>>, { dtype, shape }: TensorType): string[] {
  return Object.entries(attributes).flatMap(([name, value]) => {
    if (value === true) return [name];
    if (value === false || value === undefined || typeof value === "function" || value === dtype) return [];
    if (Array.isArray(value)) {
      return name === "shape" && value.join() === shape.join() ? [] : [`${name}=${showValues(value)}`];
    }
    return [`${name}=${typeof value === "number" ? Number(value.toPrecision(6)) : value}`];
  });
}

/** A node as a line: `%12 = gemm(%11, bert.pooler.dense.weight, ...bias, transB) float32[batch, 312]`. */
export function formatNode({ name, operator, inputs, attributes, type }: ListedNode): string {
  const operands = inputs.map((operand, i) => shorten(operand, inputs[i - 1]));
  return `${name} = ${operator}(${[...operands, ...attributes].join(", ")}) ${type}`;
}

/** A name that begins as the one before it does, up to its last part, is cut to that part. */
function shorten(name: string, previous: string | undefined): string {
  const start = name.lastIndexOf(".") + 1;
  const isSibling = start > 1 && !name.startsWith("%") && previous?.slice(0, start) === name.slice(0, start);
  return isSibling ? `...${name.slice(start)}` : name;
}

/** A graph as lines: inputs, parameters, nodes, outputs. */
export function formatGraph(graph: Graph): string[] {
  const { nodes, outputs } = listGraph(graph);
  const declared = (parameter: boolean) =>
    graph.inputs
      .filter((input) => input.parameter === parameter)
      .map(({ name, dtype, shape }) => `${name} ${formatType(dtype, shape)}`);
  return [
    ...section("inputs", declared(false)),
    ...section("parameters", declared(true)),
    ...section("nodes", nodes.map(formatNode)),
    ...section(
      "outputs",
      [...outputs].map(([name, tensor]) => `${name} = ${tensor}`),
    ),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return [`${title}: ${lines.length}`, ...lines.map((line) => `  ${line}`)];
}

/** What all nodes of one operator cost together. */
export interface OperatorSummary {
  readonly operator: string;
  readonly count: number;
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Of all floating-point operations, in 0 .. 1. */
  readonly share: number;
}

/** Costs by operator, the dearest first. */
export function summarizeByOperator({ nodes, flops: all }: GraphCost): OperatorSummary[] {
  const sums = new Map<string, OperatorSummary>();
  for (const { node, flops, bytesRead, bytesWritten } of nodes) {
    const operator = node.operator.name;
    const sum = sums.get(operator) ?? { operator, count: 0, flops: 0, bytesRead: 0, bytesWritten: 0, share: 0 };
    sums.set(operator, {
      operator,
      count: sum.count + 1,
      flops: sum.flops + flops,
      bytesRead: sum.bytesRead + bytesRead,
      bytesWritten: sum.bytesWritten + bytesWritten,
      share: all > 0 ? (sum.flops + flops) / all : 0,
    });
  }
  return [...sums.values()].sort((a, b) => b.flops - a.flops || b.bytesWritten - a.bytesWritten);
}
