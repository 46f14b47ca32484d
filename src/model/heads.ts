/** What stands on the encoder: the pooler, the heads of pre-training, and those of the tasks a model is fine-tuned for. */
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

/** The linear layer of a classifier has this name in Transformers, whatever it classifies. */
const CLASSIFIER = "classifier";

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

/**
 * Scores of a sequence's classes (its labels by themselves, its single number): a linear layer over the pooled output.
 * @param pooledOutput - float32 [batch, hiddenSize]; with dropout where the model is trained.
 * @returns float32 [batch, labels].
 * Source: run_classifier.py (create_model) of google-research/bert.
 */
export function sequenceClassificationHead(context: ModelContext, pooledOutput: Tensor, labels: number): Tensor {
  return dense(context, pooledOutput, CLASSIFIER, labels);
}

/**
 * Scores of the classes of every token.
 * @param sequenceOutput - float32 [batch * seq, hiddenSize].
 * @returns float32 [batch * seq, labels].
 * Source: Devlin et al. 2018, section 5.3.
 */
export function tokenClassificationHead(context: ModelContext, sequenceOutput: Tensor, labels: number): Tensor {
  return dense(context, sequenceOutput, CLASSIFIER, labels);
}

/**
 * Scores of every choice of a question; the choices are rows of the batch, one after the other.
 * @param pooledOutput - float32 [batch * choices, hiddenSize].
 * @returns float32 [batch, choices].
 * Source: Devlin et al. 2018, section 4.4.
 */
export function multipleChoiceHead(context: ModelContext, pooledOutput: Tensor, batch: Dim, choices: number): Tensor {
  return reshape(dense(context, pooledOutput, CLASSIFIER, 1), [batch, choices]);
}

/**
 * Scores of every token as the first and as the last one of the answer.
 * @param sequenceOutput - float32 [batch * seq, hiddenSize].
 * @returns start and end, float32 [batch * seq] each.
 * Source: run_squad.py (create_model) of google-research/bert.
 */
export function questionAnsweringHead(context: ModelContext, sequenceOutput: Tensor): readonly [Tensor, Tensor] {
  const scores = dense(context, sequenceOutput, "qa_outputs", 2);
  const column = (index: number) => reshape(slice(scores, 1, index, 1), [sequenceOutput.shape[0] as Dim]);
  return [column(0), column(1)];
}
