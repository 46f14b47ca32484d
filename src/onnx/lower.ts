/**
 * Lowering: from a finished graph to ONNX nodes. Each operator brings its own ONNX form; this file names tensors,
 * shares constants and computes the sizes of named dims where a shape needs them.
 */
import { GraphError } from "../errors.ts";
import { onnxDataType } from "../graph/data-type.ts";
import { coefficientOf, type Dim, namesOf, type Shape } from "../graph/dims.ts";
import {
  type Graph,
  type GraphInput,
  inputOp,
  type LowerContext,
  type LoweredNode,
  type LowerTarget,
  type Node,
  type Tensor,
  type TensorType,
} from "../graph/graph.ts";
import type { DType, HostTensor } from "../util/tensor.ts";
import { hostTensor } from "../util/tensor.ts";

/** The version of ONNX's operators that graphs are written in where nothing else is asked for. */
export const OPSET = 17;

/** A node with all names set. */
export interface NamedNode extends LoweredNode {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A graph in ONNX's terms, before it is written. */
export interface LoweredGraph {
  /** The version of ONNX's operators that the nodes are written in. */
  readonly opset: number;
  readonly inputs: readonly GraphInput[];
  readonly nodes: readonly NamedNode[];
  readonly constants: ReadonlyMap<string, HostTensor>;
  readonly outputs: readonly (TensorType & { readonly name: string })[];
}

/**
 * Lowers a graph to ONNX nodes.
 * @param target - what the engine that will run it knows.
 * @throws {GraphError} when the size of a named dim is needed and no input carries it.
 */
export function lowerGraph(graph: Graph, target: LowerTarget): LoweredGraph {
  const lowering = new Lowering(graph, target);
  for (const node of graph.nodes) lowering.lower(node);
  return lowering.finish();
}

class Lowering {
  private readonly names = new Map<string, string>();
  private readonly nodes: NamedNode[] = [];
  private readonly constants = new Map<string, HostTensor>();
  private readonly dimNames = new Map<string, string>();
  /** Computed shapes by their sizes' names: each is a step of every run. */
  private readonly shapeNames = new Map<string, string>();
  /** Nodes are numbered by their place, so that a graph gives the same names whatever was built before. */
  private readonly places: ReadonlyMap<Node, number>;
  private readonly graph: Graph;
  private readonly target: Required<LowerTarget>;

  constructor(graph: Graph, target: LowerTarget) {
    this.graph = graph;
    this.target = { opset: OPSET, bfloat16Products: false, fusesElementwise: false, ...target };
    this.places = new Map(graph.nodes.map((node, place) => [node, place]));
    for (const node of graph.nodes) {
      if (node.operator === inputOp.definition) this.names.set(`${node.id}.0`, node.attributes.name);
    }
  }

  lower(node: Node): void {
    if (node.operator === inputOp.definition) return;
    const name = this.nodeName(node);
    const outputs = node.outputs.map((_, index) => (index > 0 ? `${name}_${index}` : name));
    const lowered = node.operator.lower(this.context(node));
    if ("alias" in lowered) {
      this.names.set(`${node.id}.0`, lowered.alias);
      return;
    }
    outputs.forEach((name, index) => {
      this.names.set(`${node.id}.${index}`, name);
    });
    const inputs = lowered.inputs ?? node.inputs.map((tensor) => this.nameOf(tensor));
    this.nodes.push({ ...lowered, inputs, outputs });
  }

  finish(): LoweredGraph {
    const outputs = [...this.graph.outputs].map(([name, tensor]) => {
      this.nodes.push({ opType: "Identity", inputs: [this.nameOf(tensor)], outputs: [name] });
      return { name, dtype: tensor.dtype, shape: tensor.shape };
    });
    const { inputs } = this.graph;
    const nodes = lastLeafFirst(withoutIdentities(this.nodes, inputs, this.constants));
    return { opset: this.target.opset, inputs, nodes, constants: this.constants, outputs };
  }

  private context(node: Node): LowerContext<unknown> {
    return {
      attributes: node.attributes,
      inputs: node.inputs,
      outputs: node.outputs,
      names: node.inputs.map((tensor) => this.nameOf(tensor)),
      target: this.target,
      emit: (lowered) => this.emit(lowered, this.nodeName(node)),
      int64s: (values) => this.constant("int64", [values.length], values),
      scalar: (dtype, value) => this.constant(dtype, [], [value]),
      constant: (dtype, shape, values) => this.constant(dtype, shape, values),
      shape: (shape) => this.shape(shape),
    };
  }

  private nodeName(node: Node): string {
    return `${node.operator.name}_${this.places.get(node)}`;
  }

  private nameOf({ node, index }: Tensor): string {
    return this.names.get(`${node.id}.${index}`) as string;
  }

  private emit(lowered: LoweredNode, prefix: string): string {
    const name = `${prefix}_${lowered.opType}_${this.nodes.length}`;
    this.nodes.push({ ...lowered, inputs: lowered.inputs ?? [], outputs: [name] });
    return name;
  }

  private constant(dtype: DType, shape: readonly number[], values: ArrayLike<number>): string {
    if (dtype === "float16" || dtype === "bfloat16") {
      const inputs = [this.constant("float32", shape, values)];
      return this.emit({ opType: "Cast", inputs, attributes: { to: { int: onnxDataType[dtype] } } }, "const");
    }
    const name = `const_${dtype}_${shape.join("x")}_${wordsOf(values) ?? `#${this.constants.size}`}`;
    if (!this.constants.has(name)) this.constants.set(name, hostTensor(dtype, shape, arrayOf(dtype, values)));
    return name;
  }

  /** A constant where the engine can infer what is not known, else sizes computed from the inputs' shapes. */
  private shape(shape: Shape): string {
    if (shape.every((dim) => typeof dim === "number")) return this.constant("int64", [shape.length], shape as number[]);
    const parts = shape.map((dim) => this.dim(dim));
    if (parts.length === 1) return parts[0] as string;
    const key = parts.join();
    const known = this.shapeNames.get(key);
    if (known) return known;
    const name = this.emit({ opType: "Concat", inputs: parts, attributes: { axis: { int: 0 } } }, "shape");
    this.shapeNames.set(key, name);
    return name;
  }

  private dim(dim: Dim): string {
    if (typeof dim === "number") return this.constant("int64", [1], [dim]);
    const known = this.dimNames.get(dim);
    if (known) return known;
    const sizes = namesOf(dim).map((name) => this.namedDim(name));
    if (coefficientOf(dim) !== 1) sizes.push(this.constant("int64", [1], [coefficientOf(dim)]));
    const name = sizes.reduce((a, b) => this.emit({ opType: "Mul", inputs: [a, b] }, "dim"));
    this.dimNames.set(dim, name);
    return name;
  }

  private namedDim(name: string): string {
    const known = this.dimNames.get(name);
    if (known) return known;
    const isMultiple = (dim: Dim) => namesOf(dim).length === 1 && namesOf(dim)[0] === name;
    const sources = this.graph.inputs.flatMap(({ name: source, shape }) => {
      const at = shape.findIndex(isMultiple);
      return at < 0 ? [] : [{ source, at, factor: coefficientOf(shape[at] as Dim) }];
    });
    const found = sources.find(({ factor }) => factor === 1) ?? sources[0];
    if (!found) {
      throw new GraphError({ where: "lower", expected: `an input with the axis "${name}"`, got: "none" });
    }
    const sizes = this.emit({ opType: "Shape", inputs: [found.source] }, name);
    const index = this.constant("int64", [1], [found.at]);
    const whole = this.emit({ opType: "Gather", inputs: [sizes, index], attributes: { axis: { int: 0 } } }, name);
    const factor = this.constant("int64", [1], [found.factor]);
    const size = found.factor === 1 ? whole : this.emit({ opType: "Div", inputs: [whole, factor] }, name);
    this.dimNames.set(name, size);
    return size;
  }
}

/** Constants of more elements are shared where all are the same one. */
const MAX_NAMED_ELEMENTS = 8;

/** What tells the elements of a constant, by which equal ones are found; nothing for many that differ. */
function wordsOf(values: ArrayLike<number>): string | undefined {
  const word = (value: number) => (Object.is(value, -0) ? "-0" : String(value));
  if (values.length <= MAX_NAMED_ELEMENTS) return Array.from(values, word).join("_");
  const first = values[0] as number;
  for (let i = 1; i < values.length; i++) if (!Object.is(values[i], first)) return undefined;
  return `all_${word(first)}`;
}

function arrayOf(dtype: DType, values: ArrayLike<number>) {
  switch (dtype) {
    case "int64":
      return BigInt64Array.from(Array.from(values), BigInt);
    case "int32":
      return Int32Array.from(values);
    case "float32":
      return Float32Array.from(values);
    case "float64":
      return Float64Array.from(values);
    case "int8":
      return Int8Array.from(values);
    default:
      return Uint8Array.from(values);
  }
}

/** Lets a node write a graph output by its own name, where it alone gives that output. */
function withoutIdentities(
  nodes: readonly NamedNode[],
  inputs: readonly GraphInput[],
  constants: ReadonlyMap<string, HostTensor>,
): NamedNode[] {
  const renamed = new Map<string, string>();
  const fixed = new Set([...inputs.map(({ name }) => name), ...constants.keys()]);
  const kept = nodes.filter(({ opType, inputs: [source], outputs: [target] }) => {
    if (opType !== "Identity" || fixed.has(source as string) || renamed.has(source as string)) return true;
    renamed.set(source as string, target as string);
    return false;
  });
  const rename = (name: string) => renamed.get(name) ?? name;
  return kept.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
}

/**
 * Moves the nodes that no other node reads (losses, gradients of weights) to the end, the first of them last.
 *
 * ONNX Runtime runs a graph by depth-first search from such nodes, beginning with the last one in the file. In the order
 * of creation that is the gradient of the embeddings: the whole backward pass would come before the gradient of any other
 * weight, and all activations would live until then.
 */
function lastLeafFirst(nodes: readonly NamedNode[]): NamedNode[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const isLeaf = ({ outputs }: NamedNode) => !outputs.some((name) => read.has(name));
  return [...nodes.filter((node) => !isLeaf(node)), ...nodes.filter(isLeaf).reverse()];
}
