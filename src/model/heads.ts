/** What stands on the encoder in pre-training: the pooler, the masked language model, next sentence prediction. */
import type { Dim } from "../graph/dims.ts";
import type { Tensor } from "../graph/graph.ts";
import { linear } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { slice } from "../graph/ops/slice.ts";
import { tanh } from "../graph/ops/tanh.ts";
import type { BertConfig } from "./config.ts";
import type { ModelContext } from "./context.ts";
import { normalize } from "./encoder.ts";
import { activations, dense } from "./feed-forward.ts";

/**
 * The vector of a whole sequence: the first token's, through a linear layer and tanh.
 * @param sequenceOutput - float32 [batch * seq, hiddenSize].
 * @returns float32 [batch, hiddenSize], in (-1, 1).
 * Source: modeling.py (BertModel, pooler) of google-research/bert.
 */
export function pooler(
  context: ModelContext,
  { hiddenSize }: BertConfig,
  sequenceOutput: Tensor,
  batch: Dim,
  seq: Dim,
): Tensor {
  const tokens = reshape(sequenceOutput, [batch, seq, hiddenSize]);
  const first = reshape(slice(tokens, 1, 0, 1), [batch, hiddenSize]);
  return tanh(dense(context, first, "bert.pooler.dense", hiddenSize));
}

/**
 * Scores of every vocabulary entry for the given positions; the output matrix is the token embedding (tied).
 * @param hidden - float32 [predictions, hiddenSize]; the sequence output at the masked positions, or at all.
 * @returns float32 [predictions, vocabSize].
 * Source: run_pretraining.py (get_masked_lm_output) of google-research/bert.
 */
export function maskedLmHead(context: ModelContext, config: BertConfig, hidden: Tensor): Tensor {
  const transformed = activations[config.hiddenAct](
    dense(context, hidden, "cls.predictions.transform.dense", config.hiddenSize),
  );
  const normalized = normalize(context, config, transformed, "cls.predictions.transform.LayerNorm");
  const table = context.parameter("bert.embeddings.word_embeddings.weight", [config.vocabSize, config.hiddenSize]);
  return linear(normalized, table, context.parameter("cls.predictions.bias", [config.vocabSize]));
}

/**
 * Scores of "B follows A" (0) and "B is a random sentence" (1).
 * @param pooledOutput - float32 [batch, hiddenSize].
 * @returns float32 [batch, 2].
 * Source: run_pretraining.py (get_next_sentence_output) of google-research/bert.
 */
export function nextSentenceHead(context: ModelContext, pooledOutput: Tensor): Tensor {
  return dense(context, pooledOutput, "cls.seq_relationship", 2);
}
