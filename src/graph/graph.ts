/**
 * Symbolic tensors and the operators that make them: the form in which every model of zhbert is written.
 *
 * A node holds its operator object, which knows its shape rule, its gradient and its ONNX form. Nothing is executed here.
 */
import { GraphError, ShapeError, verbatim } from "../errors.ts";
import { type DType, formatType } from "../util/tensor.ts";
import { type Dim, type Shape, sameShape } from "./dims.ts";

/** A dtype and a shape. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One application of an operator. */
export interface Node {
  /** Counts up in the order of creation; the order in which nodes are emitted. */
  readonly id: number;
  readonly operator: Operator;
  readonly inputs: readonly Tensor[];
  // biome-ignore lint/suspicious/noExplicitAny: each operator declares the type of its own attributes
  readonly attributes: any;
  readonly outputs: readonly TensorType[];
}

/** A symbolic tensor: one output of a node. */
export interface Tensor extends TensorType {
  readonly node: Node;
  /** Which output of the node it is. */
  readonly index: number;
}

/** An ONNX attribute value with its type said: ONNX tells 1 from 1.0. */
export type AttributeValue =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

/** One ONNX node. */
export interface LoweredNode {
  readonly opType: string;
  /** Operator set; empty or absent for ONNX's own, `com.microsoft` for ONNX Runtime's. */
  readonly domain?: string;
  /** Names of the inputs; those of the graph node when absent. An empty name is an absent optional input. */
  readonly inputs?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** The output is a tensor that has a name already; no node is added. */
export interface LoweredAlias {
  readonly alias: string;
}

/** What a graph is lowered for. */
export interface LowerTarget {
  /** Whether ONNX Runtime's own operators (domain com.microsoft) may be used. */
  readonly contrib: boolean;
  /** The version of ONNX's operators, in 13 .. 21; 17 when left out. */
  readonly opset?: number;
  /** Whether the engine computes matrix products at bfloat16; false when left out. */
  readonly bfloat16Products?: boolean;
  /** Whether it computes chains of element-wise operators in one pass, without arrays for what is between; false when left out. */
  readonly fusesElementwise?: boolean;
}

/** What an operator's lower() can use. */
export interface LowerContext<A> {
  readonly attributes: A;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly TensorType[];
  /** ONNX names of the inputs. */
  readonly names: readonly string[];
  readonly target: Required<LowerTarget>;
  /** Adds a further node; gives the name of its first output. */
  emit(node: LoweredNode): string;
  /** The name of an int64 constant of one axis. */
  int64s(values: readonly number[]): string;
  /** The name of a constant scalar. */
  scalar(dtype: DType, value: number): string;
  /** The name of a constant tensor; values in row-major order. */
  constant(dtype: DType, shape: readonly number[], values: ArrayLike<number>): string;
  /** The name of an int64 constant or computed tensor of one axis that holds the sizes of a shape. */
  shape(shape: Shape): string;
}

/** What an operator's vjp() receives: the vector-Jacobian product's vector and the node. */
export interface VjpContext<A> {
  /** Gradient with respect to the first output; only defined when that output is used. */
  readonly grad: Tensor;
  /** Gradients with respect to each output; undefined for outputs that the loss does not depend on. */
  readonly grads: readonly (Tensor | undefined)[];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: A;
  /** Whether the gradient with respect to an input is asked for. */
  wants(input: number): boolean;
}

/** The definition of an operator. Adding one takes one file in graph/ops/ and its test. */
export interface OperatorDefinition<A> {
  readonly name: string;
  /** The shape rule. @throws {ShapeError} when the inputs do not fit. */
  infer(inputs: readonly TensorType[], attributes: A): TensorType | readonly TensorType[];
  /** Gradients with respect to the inputs, undefined where there is none; absent for operators without gradient. */
  vjp?(context: VjpContext<A>): readonly (Tensor | undefined)[];
  /**
   * The first output computed again, but not before `earlier` is there: of operators that cost less than the memory of what
   * they give. Gradients then do not keep the output.
   */
  rematerialize?(inputs: readonly Tensor[], attributes: A, earlier: Tensor): Tensor;
  /** The ONNX form; the node given back carries the outputs. */
  lower(context: LowerContext<A>): LoweredNode | LoweredAlias;
  /** A simpler equal tensor (scalar constants folded, reshapes joined), or undefined. */
  simplify?(inputs: readonly Tensor[], attributes: A): Tensor | undefined;
  /** The sum of this node's output and another tensor in one operation; used where gradients are added up. */
  addTo?(inputs: readonly Tensor[], sum: Tensor): Tensor;
  /** Floating-point operations of one run, for numeric shapes; one for each output element when absent. */
  flops?(inputs: readonly TensorType[], outputs: readonly TensorType[], attributes: A): number;
  /**
   * What it touches of its first input's memory: `view`, nothing, the output is the same bytes; `part`, as many bytes as
   * the output has; all of it when absent.
   */
  readonly access?: "view" | "part";
}

/** An operator as nodes hold it. */
// biome-ignore lint/suspicious/noExplicitAny: nodes of all operators stand in one list
export type Operator = OperatorDefinition<any>;

/** Applies an operator: called, it gives the first output; `all` gives every output. */
export interface OperatorFunction<A> {
  (inputs: readonly Tensor[], attributes: A): Tensor;
  all(inputs: readonly Tensor[], attributes: A): readonly Tensor[];
  readonly definition: OperatorDefinition<A>;
}

let nextNodeId = 0;

/** Turns the definition of an operator into the function that applies it. */
export function defineOp<A>(definition: OperatorDefinition<A>): OperatorFunction<A> {
  const all = (inputs: readonly Tensor[], attributes: A): readonly Tensor[] => {
    const simpler = definition.simplify?.(inputs, attributes);
    return simpler ? [simpler] : outputsOf(makeNode(definition, inputs, attributes));
  };
  const first = (inputs: readonly Tensor[], attributes: A): Tensor => all(inputs, attributes)[0] as Tensor;
  return Object.assign(first, { all, definition });
}

/** A node of the same operator over other inputs; used when graphs are rewritten. */
export function makeNode(operator: Operator, inputs: readonly Tensor[], attributes: unknown): Node {
  const inferred = operator.infer(inputs, attributes);
  const outputs = Array.isArray(inferred) ? (inferred as readonly TensorType[]) : [inferred as TensorType];
  return { id: nextNodeId++, operator, inputs, attributes, outputs };
}

/** The tensors that a node gives. */
export function outputsOf(node: Node): readonly Tensor[] {
  return node.outputs.map(({ dtype, shape }, index) => ({ node, index, dtype, shape }));
}

/** Attributes of the leaf operator `input`. */
export interface InputAttributes extends TensorType {
  readonly name: string;
  /** A parameter is a weight: an input of a training graph, an initialiser of an inference graph. */
  readonly parameter: boolean;
}

/** The leaf operator: a tensor that is fed at each run, or a weight. */
export const inputOp = defineOp<InputAttributes>({
  name: "input",
  infer: (_, { dtype, shape }) => ({ dtype, shape }),
  lower: ({ attributes }) => {
    throw new GraphError({ where: "lower", expected: "inputs to stay inputs", got: attributes.name });
  },
  flops: () => 0,
});

/**
 * A tensor that is fed at each run.
 * @param name - how the runtime knows it; the same name is the same input.
 */
export function input(name: string, dtype: DType, shape: Shape): Tensor {
  return inputOp([], { name, dtype, shape, parameter: false });
}

/** A weight, by its Hugging Face name; float32 unless it is said otherwise. */
export function parameter(name: string, shape: readonly number[], dtype: DType = "float32"): Tensor {
  return inputOp([], { name, dtype, shape, parameter: true });
}

/** The name of a tensor that is a weight; undefined for every other one. */
export function parameterName({ node }: Tensor): string | undefined {
  const attributes = node.operator === inputOp.definition ? (node.attributes as InputAttributes) : undefined;
  return attributes?.parameter ? attributes.name : undefined;
}

/** An input or weight of a finished graph. */
export interface GraphInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly parameter: boolean;
}

/** A finished graph: common subexpressions shared, nodes in the order of their creation, nothing unused. */
export interface Graph {
  readonly inputs: readonly GraphInput[];
  readonly nodes: readonly Node[];
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/**
 * Finishes a graph: keeps what the outputs need, shares equal subexpressions, lists the inputs.
 * @throws {GraphError} when two inputs of one name differ in type, or when an output has the name of an input.
 */
export function buildGraph(outputs: Readonly<Record<string, Tensor>>): Graph {
  const nodes = shareCommonSubexpressions(Object.values(outputs));
  const kept = new Set(nodes.values());
  const inputs = new Map<string, GraphInput>();
  for (const node of kept) {
    if (node.operator !== inputOp.definition) continue;
    const found: InputAttributes = node.attributes;
    const known = inputs.get(found.name);
    if (known && !(known.dtype === found.dtype && sameShape(known.shape, found.shape))) {
      throw new GraphError({
        where: `graph: input "${found.name}"`,
        expected: `one type, ${formatType(known.dtype, known.shape)}`,
        got: verbatim(formatType(found.dtype, found.shape)),
      });
    }
    inputs.set(found.name, found);
  }
  const clash = Object.keys(outputs).find((name) => inputs.has(name));
  if (clash !== undefined) {
    throw new GraphError({
      where: `graph: output "${clash}"`,
      expected: "a name that no input has",
      got: clash,
    });
  }
  const renamed = Object.entries(outputs).map(([name, tensor]): [string, Tensor] => {
    const node = nodes.get(tensor.node) as Node;
    return [name, outputsOf(node)[tensor.index] as Tensor];
  });
  return { inputs: [...inputs.values()], nodes: [...kept], outputs: new Map(renamed) };
}

/** Every node that the tensors need, inputs before users, in the order of creation. */
export function topologicalOrder(tensors: readonly Tensor[]): Node[] {
  const found = new Set<Node>();
  const pending = tensors.map(({ node }) => node);
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const { node: source } of node.inputs) pending.push(source);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** From each node to the one that stands for it and for every node equal to it. */
function shareCommonSubexpressions(tensors: readonly Tensor[]): Map<Node, Node> {
  const operatorIds = new Map<Operator, number>();
  const representatives = new Map<string, Node>();
  const shared = new Map<Node, Node>();
  for (const node of topologicalOrder(tensors)) {
    const inputs = node.inputs.map((tensor) => outputsOf(shared.get(tensor.node) as Node)[tensor.index] as Tensor);
    if (!operatorIds.has(node.operator)) operatorIds.set(node.operator, operatorIds.size);
    const sources = inputs.map((tensor) => `${tensor.node.id}.${tensor.index}`);
    const key = `${operatorIds.get(node.operator)}(${sources})${attributesKey(node)}`;
    const known = representatives.get(key) ?? { ...node, inputs };
    representatives.set(key, known);
    shared.set(node, known);
  }
  return shared;
}

/** Attributes as text; those that hold functions or typed arrays are equal only to themselves. */
function attributesKey(node: Node): string {
  let opaque = false;
  const text = JSON.stringify(node.attributes, (_, value) => {
    if (typeof value === "function" || ArrayBuffer.isView(value)) opaque = true;
    // JSON writes 0 for -0 and null for what is not finite.
    if (Object.is(value, -0)) return "number -0";
    if (typeof value === "number" && !Number.isFinite(value)) return `number ${value}`;
    return opaque ? undefined : value;
  });
  return opaque ? `#${node.id}` : text;
}

/**
 * Checks a tensor's shape at a module's boundary.
 * @param expected - a number or name must be equal; null fits any dim.
 * @throws {ShapeError} naming the place, the expected axes and the shape found.
 */
export function expectShape(where: string, tensor: TensorType, expected: readonly (Dim | null)[]): void {
  const { dtype, shape } = tensor;
  if (shape.length === expected.length && expected.every((dim, i) => dim === null || dim === shape[i])) return;
  throw new ShapeError({
    where,
    expected: formatType(
      dtype,
      expected.map((dim) => dim ?? "any"),
    ),
    got: verbatim(formatType(dtype, shape)),
  });
}
