/** The graphs that quantisation studies: an encoder with the heads that there are weights for, what enters each linear layer, and errors put in. */
import { product } from "../graph/dims.ts";
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { gather } from "../graph/ops/gather.ts";
import { linear } from "../graph/ops/matmul.ts";
import { dequantizeLinear } from "../graph/ops/quantize.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import type { BertConfig } from "../model/config.ts";
import { modelContext } from "../model/context.ts";
import { encoder } from "../model/encoder.ts";
import { maskedLmHead, pooler } from "../model/heads.ts";
import { tokenInputs } from "../model/hidden-states.ts";
import { type LinearSite, linearSite, roundedInput } from "../model/quantized-graph.ts";
import type { InputRounding } from "../model/quantized-weights.ts";

/** Which heads stand on the encoder. */
export interface StudiedHeads {
  readonly pooler: boolean;
  readonly maskedLm: boolean;
}

/** The places whose vocabulary scores are computed: int32 [places], row * seq + position. */
export const PLACES = "places";

/**
 * The graph that is studied.
 *
 * Inputs: parameters; `input_ids`, `token_type_ids`, `attention_mask` (int32 [batch, seq]); with an MLM head `places`.
 * Outputs, float32: `hidden` [batch, seq, hiddenSize]; `pooled` [batch, hiddenSize]; `scores` [places, vocabSize].
 */
export function studyGraph(config: BertConfig, heads: StudiedHeads): Graph {
  const context = modelContext();
  const last = encoder(context, config, tokenInputs()).at(-1) as Tensor;
  const outputs: Record<string, Tensor> = { hidden: reshape(last, ["batch", "seq", config.hiddenSize]) };
  if (heads.pooler) outputs["pooled"] = pooler(context, config, last, "batch", "seq");
  if (heads.maskedLm) {
    outputs["scores"] = maskedLmHead(context, config, gather(last, input(PLACES, "int32", ["places"])));
  }
  return buildGraph(outputs);
}

/** The linear layers of a graph, in their order. */
export function linearSites({ nodes }: Graph): LinearSite[] {
  return nodes.flatMap((node) => linearSite(node, node.inputs) ?? []);
}

/** A tensor that linear layers read. */
export interface ObservedTensor {
  readonly modules: readonly string[];
  /** Whether it has a row for each token of the batch, padding too; for the places or for [CLS] otherwise. */
  readonly isByToken: boolean;
}

/** A graph that gives what enters its linear layers. */
export interface ObservedGraph {
  /** Outputs `observed.<n>`, float32 [tokens, in]. */
  readonly graph: Graph;
  readonly tensors: ReadonlyMap<string, ObservedTensor>;
}

/** Layers that read one tensor (query, key and value) are observed once. */
export function observedGraph(graph: Graph): ObservedGraph {
  const readers = new Map<string, { readonly x: Tensor; readonly modules: string[] }>();
  for (const { module, x } of linearSites(graph)) {
    const key = `${x.node.id}.${x.index}`;
    const known = readers.get(key) ?? { x, modules: [] };
    known.modules.push(module);
    readers.set(key, known);
  }
  const named = [...readers.values()].map((reader, n) => [`observed.${n}`, reader] as const);
  return {
    graph: buildGraph(Object.fromEntries(named.map(([name, { x }]) => [name, x]))),
    tensors: new Map(
      named.map(([name, { x, modules }]) => [name, { modules, isByToken: x.shape[0] === product(["batch", "seq"]) }]),
    ),
  };
}

/** The input that rounds what enters a layer: float32 []; 1 to round, 0 to leave it. */
export function switchOf(module: string): string {
  return `switch.${module}`;
}

/** A graph whose linear layers each have a switch that rounds their input to 8 bits and back. */
export function switchedGraph(graph: Graph, rounding: (module: string) => InputRounding): Graph {
  return buildGraph(
    rewriteGraph(graph, (node, inputs) => {
      const site = linearSite(node, inputs);
      if (site === undefined) return undefined;
      const rounded = dequantizeLinear(roundedInput(site.x, rounding(site.module)));
      const error = mul(sub(rounded, site.x), input(switchOf(site.module), "float32", []));
      return linear(add(site.x, error), inputs[1] as Tensor, inputs[2]);
    }),
  );
}
