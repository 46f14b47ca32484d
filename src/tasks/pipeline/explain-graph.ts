/** The graphs behind explanations: gradients of a score along the way from a baseline to a text, and attention. */
import { gradients } from "../../graph/autodiff.ts";
import { buildGraph, type Graph, input, type Tensor } from "../../graph/graph.ts";
import { add, addScalar, mul, scale, sub } from "../../graph/ops/arithmetic.ts";
import { broadcastTo, reduceSum } from "../../graph/ops/broadcast.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { softmax } from "../../graph/ops/softmax.ts";
import { tanh } from "../../graph/ops/tanh.ts";
import type { BertConfig } from "../../model/config.ts";
import { type ModelContext, modelContext } from "../../model/context.ts";
import { bertEmbeddings } from "../../model/embeddings.ts";
import { encoder } from "../../model/encoder.ts";
import type { AnyTask } from "../task.ts";
import { headInputsOver } from "../task-graph.ts";

/** From a task's scores to what is explained: probabilities of labels, alone or among others, or the number itself. */
export type ScoreFunction = "softmax" | "sigmoid" | "identity";

const functions: Readonly<Record<ScoreFunction, (logits: Tensor) => Tensor>> = {
  softmax,
  sigmoid: (logits) => addScalar(scale(tanh(scale(logits, 0.5)), 0.5), 0.5),
  identity: (logits) => logits,
};

/** The sizes of the graph of integrated gradients. */
export interface AttributionShape {
  /** Points on the way in one run. */
  readonly points: number;
  readonly seqLength: number;
  /** Width of the scores. */
  readonly labels: number;
}

/**
 * The graph of the gradients on the straight way from a baseline's embeddings to a text's.
 *
 * Inputs: every parameter; `input_ids`, `baseline_ids`, `token_type_ids`, `attention_mask` (int32 [1, seq]); `target` (float32
 * [1, labels]): 1 at the label that is explained; `shares` (float32 [points, 1, 1]): how far each point lies from the baseline, in
 * [0, 1]. Outputs: `scores` (float32 [points]): the function of the target's score at each point; `attributions` (float32
 * [points, seq]): for each token the gradient there times the way from the baseline's embedding to its own.
 * Source: Sundararajan et al. 2017, equations 1 and 3.
 */
export function attributionGraph(
  task: AnyTask,
  config: BertConfig,
  scoreFunction: ScoreFunction,
  { points, seqLength, labels }: AttributionShape,
): Graph {
  const context = modelContext();
  const { hiddenSize } = config;
  const tokens = (name: string) => input(name, "int32", [1, seqLength]);
  const [inputIds, typeIds, mask] = [tokens("input_ids"), tokens("token_type_ids"), tokens("attention_mask")];
  const vectors = (ids: Tensor) => reshape(bertEmbeddings(context, config, ids, typeIds), [1, seqLength, hiddenSize]);
  const baseline = vectors(tokens("baseline_ids"));
  const way = sub(vectors(inputIds), baseline);
  const shares = input("shares", "float32", [points, 1, 1]);
  const embeddings = reshape(add(baseline, mul(way, shares)), [points * seqLength, hiddenSize]);
  const repeated = (ids: Tensor) => broadcastTo(ids, [points, seqLength]);
  const inputs = {
    inputIds: repeated(inputIds),
    tokenTypeIds: repeated(typeIds),
    attentionMask: repeated(mask),
  };
  const hiddenStates = encoder(context, config, inputs, { embeddings });
  const head = headInputsOver(hiddenStates, task, context, config, inputs, { rows: points, seq: seqLength });
  const logits = task.head(head)["logits"] as Tensor;
  const chosen = mul(functions[scoreFunction](logits), input("target", "float32", [1, labels]));
  const scores = reduceSum(chosen, [1]);
  const [gradient] = gradients(reduceSum(scores), [embeddings]) as [Tensor];
  const attributions = reduceSum(mul(reshape(gradient, [points, seqLength, hiddenSize]), way), [2]);
  return buildGraph({ scores, attributions });
}

/** The name of the output that holds a layer's attention, layers counted from 1. */
export function attentionName(layer: number): string {
  return `attention.${layer}`;
}

/**
 * The graph of the attention in every layer. Inputs: every parameter of the encoder; `input_ids`, `token_type_ids`,
 * `attention_mask` (int32 [1, seq]). Outputs: float32 [1, heads, seq, seq] by `attentionName`: from each token to all.
 */
export function attentionGraph(config: BertConfig): Graph {
  const plain = modelContext();
  const maps: Tensor[] = [];
  // Dropout acts on the probabilities of attention at a site of their own: there they are to be had.
  const context: ModelContext = {
    ...plain,
    dropout: (site, x, rate) => {
      if (site.endsWith(".attention.self")) maps.push(x);
      return plain.dropout(site, x, rate);
    },
  };
  const tokens = (name: string) => input(name, "int32", [1, "seq"]);
  encoder(context, config, {
    inputIds: tokens("input_ids"),
    tokenTypeIds: tokens("token_type_ids"),
    attentionMask: tokens("attention_mask"),
  });
  return buildGraph(Object.fromEntries(maps.map((map, layer) => [attentionName(layer + 1), map])));
}
