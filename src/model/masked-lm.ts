/** The masked language model for inference: scores of the vocabulary at chosen positions. */
import { buildGraph, type Graph, input, type Tensor } from "../graph/graph.ts";
import { gather } from "../graph/ops/gather.ts";
import { softmax } from "../graph/ops/softmax.ts";
import type { BertConfig } from "./config.ts";
import { modelContext } from "./context.ts";
import { encoder } from "./encoder.ts";
import { maskedLmHead } from "./heads.ts";

/**
 * The graph of a masked language model.
 *
 * Inputs: every parameter by its Hugging Face name; `input_ids`, `token_type_ids`, `attention_mask` (int32 [batch, seq]);
 * `positions` (int32 [predictions]; row * seq + position). Output: `probabilities` (float32 [predictions, vocabSize]).
 * The axes batch, seq and predictions are named: one graph serves all sizes.
 * Source: Devlin et al. 2018, section 3.1.
 */
export function maskedLmGraph(config: BertConfig): Graph {
  const context = modelContext();
  const tokens = (name: string) => input(name, "int32", ["batch", "seq"]);
  const inputs = {
    inputIds: tokens("input_ids"),
    tokenTypeIds: tokens("token_type_ids"),
    attentionMask: tokens("attention_mask"),
  };
  const sequenceOutput = encoder(context, config, inputs).at(-1) as Tensor;
  const masked = gather(sequenceOutput, input("positions", "int32", ["predictions"]));
  return buildGraph({ probabilities: softmax(maskedLmHead(context, config, masked)) });
}
