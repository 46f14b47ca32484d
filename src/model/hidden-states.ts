/** The graph that gives the hidden states of chosen layers, and what stands on the last one. Only layers that are needed are built. */
import { ArgumentError } from "../errors.ts";
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { reshape } from "../graph/ops/reshape.ts";
import type { BertConfig } from "./config.ts";
import { modelContext } from "./context.ts";
import { encoder } from "./encoder.ts";
import { maskedLmHead, nextSentenceHead, pooler } from "./heads.ts";

/** What a graph of hidden states gives. */
export interface HiddenStatesOptions {
  /** 0 is the embeddings' output, numHiddenLayers the last layer's; negative ones count from the end. */
  readonly layers: readonly number[];
  /** Also `pooled_output`: [CLS] of the last layer through the pooler. */
  readonly pooledOutput?: boolean;
  /** Also `mlm_logits`: scores of the vocabulary at every position. */
  readonly mlmLogits?: boolean;
  /** Also `nsp_logits`: scores of "B follows A" and "B is a random sentence". */
  readonly nspLogits?: boolean;
}

/**
 * Layers counted from the front: 0 the embeddings, `numHiddenLayers` the last.
 * @param layers - negative ones count from the end: -1 is the last layer, -(numHiddenLayers + 1) the embeddings.
 * @throws {ArgumentError} when there is none, or one that the model does not have.
 */
export function resolveLayers({ numHiddenLayers }: BertConfig, layers: readonly number[]): number[] {
  const range = `${-numHiddenLayers - 1} .. ${numHiddenLayers} (0 is the embeddings, -1 the last layer)`;
  if (layers.length === 0) throw new ArgumentError({ where: "layers", expected: `layers in ${range}`, got: "none" });
  return layers.map((layer) => {
    const resolved = layer < 0 ? layer + numHiddenLayers + 1 : layer;
    if (Number.isInteger(layer) && resolved >= 0 && resolved <= numHiddenLayers) return resolved;
    throw new ArgumentError({ where: "layers", expected: `a layer in ${range}`, got: layer });
  });
}

/** The three inputs of every BERT, int32 [batch, seq], with named axes: one graph serves all sizes. */
export function tokenInputs() {
  const tokens = (name: string) => input(name, "int32", ["batch", "seq"]);
  return {
    inputIds: tokens("input_ids"),
    tokenTypeIds: tokens("token_type_ids"),
    attentionMask: tokens("attention_mask"),
  };
}

/** The name of the output that holds a layer, counted from the front. */
export function hiddenStateName(layer: number): string {
  return `hidden_states.${layer}`;
}

/**
 * The graph of a BERT's hidden states.
 *
 * Inputs: every parameter that is needed, by its Hugging Face name; `input_ids`, `token_type_ids`, `attention_mask`
 * (int32 [batch, seq]). Outputs, float32: `hidden_states.<layer>` [batch, seq, hiddenSize] with layers counted from the
 * front; where asked for `pooled_output` [batch, hiddenSize], `mlm_logits` [batch, seq, vocabSize], `nsp_logits` [batch, 2].
 * @throws {ArgumentError} when the model lacks a layer.
 * Source: Devlin et al. 2018, section 3.
 */
export function hiddenStatesGraph(config: BertConfig, options: HiddenStatesOptions): Graph {
  const layers = resolveLayers(config, options.layers);
  const hasHead = options.pooledOutput || options.mlmLogits || options.nspLogits;
  const context = modelContext();
  const numLayers = hasHead ? config.numHiddenLayers : Math.max(...layers);
  const states = encoder(context, config, tokenInputs(), { numLayers });
  const byToken = (x: Tensor, width: number) => reshape(x, ["batch", "seq", width]);
  const outputs: Record<string, Tensor> = {};
  for (const layer of layers) outputs[hiddenStateName(layer)] = byToken(states[layer] as Tensor, config.hiddenSize);
  const last = states.at(-1) as Tensor;
  const pooled = pooler(context, config, last, "batch", "seq");
  if (options.pooledOutput) outputs["pooled_output"] = pooled;
  if (options.mlmLogits) outputs["mlm_logits"] = byToken(maskedLmHead(context, config, last), config.vocabSize);
  if (options.nspLogits) outputs["nsp_logits"] = nextSentenceHead(context, pooled);
  return buildGraph(outputs);
}
