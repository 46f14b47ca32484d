/** Graphs over quantised weights: linear layers compute with integers, rows of embeddings become floats when they are taken. */
import { buildGraph, type Graph, type Node, parameter, parameterName, type Tensor } from "../graph/graph.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { full } from "../graph/ops/constant.ts";
import { gather, isGather } from "../graph/ops/gather.ts";
import { cast } from "../graph/ops/logic.ts";
import { isLinear } from "../graph/ops/matmul.ts";
import {
  dynamicallyQuantizedLinear,
  dynamicQuantizeLinear,
  quantizedLinear,
  quantizeLinear,
} from "../graph/ops/quantize.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { type InputRounding, moduleOf, type QuantizedLayers, quantizedNames } from "./quantized-weights.ts";

/** A linear layer in a graph. */
export interface LinearSite {
  /** Its module, such as `bert.encoder.layer.0.output.dense`. */
  readonly module: string;
  /** The names of its parameters. */
  readonly weight: string;
  readonly bias: string;
  /** What enters: float32 [tokens, in]. */
  readonly x: Tensor;
}

/** The linear layer that a node is, where weight and bias are parameters. @param inputs - what the node's have become. */
export function linearSite(node: Node, inputs: readonly Tensor[]): LinearSite | undefined {
  if (!isLinear(node)) return undefined;
  const [x, weight, bias] = inputs as readonly [Tensor, Tensor, Tensor];
  const [weightName, biasName] = [parameterName(weight), parameterName(bias)];
  if (weightName === undefined || biasName === undefined) return undefined;
  return { module: moduleOf(weightName), weight: weightName, bias: biasName, x };
}

/**
 * The graph that computes with the integers that there are; for what has none, or needs the floats, it is as before.
 *
 * Further inputs: for a weight `<name>_quantized` (int8) and `<name>_scale` (float32 [out]); for the bias of a layer whose input
 * has a fixed scale `<name>_quantized` (int32).
 */
export function quantizedGraph(graph: Graph, layers: QuantizedLayers): Graph {
  return buildGraph(
    rewriteGraph(graph, (node, inputs) => quantizedSite(node, inputs, layers) ?? quantizedRows(node, inputs, layers)),
  );
}

function quantizedSite(node: Node, inputs: readonly Tensor[], { stored, inputs: roundings }: QuantizedLayers) {
  const site = linearSite(node, inputs);
  const rounding = site === undefined ? undefined : roundings.get(site.module);
  if (site === undefined || rounding === undefined || !stored.has(site.weight)) return undefined;
  const matrix = matrixOf(site.weight, inputs[1] as Tensor);
  const x = roundedInput(site.x, rounding);
  if (rounding === "dynamic") return dynamicallyQuantizedLinear(x, matrix, inputs[2] as Tensor);
  return quantizedLinear(x, matrix, parameter(quantizedNames.bias(site.bias), [matrix.rows], "int32"));
}

/** Equal scales are one constant, so that layers that read the same tensor share its rounding. */
export function roundedInput(x: Tensor, rounding: InputRounding) {
  if (rounding === "dynamic") return dynamicQuantizeLinear(x);
  return quantizeLinear(x, full("float32", [], rounding.scale), full("uint8", [], rounding.zeroPoint));
}

function matrixOf(weight: string, { shape }: Tensor) {
  const [rows, columns] = shape as readonly [number, number];
  const values = parameter(quantizedNames.values(weight), [rows, columns], "int8");
  return { values, scale: parameter(quantizedNames.scale(weight), [rows], "float32"), rows };
}

/** Only the rows that are taken become floats. */
function quantizedRows(node: Node, [table, indices]: readonly Tensor[], { stored }: QuantizedLayers) {
  const name = isGather(node) && table !== undefined ? parameterName(table) : undefined;
  if (name === undefined || !stored.has(name)) return undefined;
  const { values, scale, rows } = matrixOf(name, table as Tensor);
  const scales = gather(reshape(scale, [rows, 1]), indices as Tensor);
  return mul(cast(gather(values, indices as Tensor), "float32"), scales);
}
