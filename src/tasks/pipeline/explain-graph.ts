/** The graphs behind explanations: gradients of a score along the way from a baseline to a text, and attention. */
import { gradients } from "../../graph/autodiff.ts";
import { buildGraph, type Graph, input, type Tensor } from "../../graph/graph.ts";
import { add, mul, sub } from "../../graph/ops/arithmetic.ts";
import { broadcastTo, reduceSum } from "../../graph/ops/broadcast.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import type { BertConfig } from "../../model/config.ts";
import { type ModelContext, modelContext } from "../../model/context.ts";
import { bertEmbeddings } from "../../model/embeddings.ts";
import { encoder } from "../../model/encoder.ts";
import type { AnyTask } from "../task.ts";
import { headInputsOver } from "../task-graph.ts";

/** The sizes of the graph of integrated gradients. */
export interface AttributionShape {
  /** Points on the way in one run. */
  readonly points: number;
  /** Rows of the example that the score is made of. */
  readonly rows: number;
  readonly seqLength: number;
}

/** The name of an input that the task asks for. */
export function givenName(name: string): string {
  return `explained.${name}`;
}

/**
 * The graph of the gradients on the straight way from a baseline's embeddings to an example's.
 *
 * Inputs: every parameter; `input_ids`, `baseline_ids`, `token_type_ids`, `attention_mask` (int32 [sequences, seq]), the sequences
 * of all rows; those that the task's score is told by, under `givenName`; `shares` (float32 [points, 1, 1]): how far each point lies
 * from the baseline, in [0, 1]. Outputs: `scores` (float32 [points]): the task's number at each point; `attributions` (float32
 * [points, sequences * seq]): for each token the gradient there times the way from the baseline's embedding to its own.
 * Source: Sundararajan et al. 2017, equations 1 and 3.
 */
export function attributionGraph(
  task: AnyTask,
  config: BertConfig,
  { points, rows, seqLength }: AttributionShape,
): Graph {
  const context = modelContext();
  const { hiddenSize } = config;
  const sequences = rows * task.sequencesPerRow;
  const size = sequences * seqLength;
  const tokens = (name: string) => input(name, "int32", [sequences, seqLength]);
  const [inputIds, typeIds, mask] = [tokens("input_ids"), tokens("token_type_ids"), tokens("attention_mask")];
  const vectors = (ids: Tensor) => reshape(bertEmbeddings(context, config, ids, typeIds), [1, size, hiddenSize]);
  const baseline = vectors(tokens("baseline_ids"));
  const way = sub(vectors(inputIds), baseline);
  const shares = input("shares", "float32", [points, 1, 1]);
  const embeddings = reshape(add(baseline, mul(way, shares)), [points * size, hiddenSize]);
  const repeated = (ids: Tensor) =>
    reshape(broadcastTo(reshape(ids, [1, size]), [points, size]), [points * sequences, seqLength]);
  const inputs = {
    inputIds: repeated(inputIds),
    tokenTypeIds: repeated(typeIds),
    attentionMask: repeated(mask),
  };
  const hiddenStates = encoder(context, config, inputs, { embeddings });
  const head = headInputsOver(hiddenStates, task, context, config, inputs, { rows: points * rows, seq: seqLength });
  const given = (name: string, size: number) => input(givenName(name), "float32", [1, size]);
  const scores = task.explaining.score({ scores: task.head(head), points, rows, seq: seqLength, given });
  const [gradient] = gradients(reduceSum(scores), [embeddings]) as [Tensor];
  const attributions = reduceSum(mul(reshape(gradient, [points, size, hiddenSize]), way), [2]);
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
