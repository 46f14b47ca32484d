/** BERT's pre-training as one graph: masked language model and next sentence prediction, losses, metrics, gradients. */
import { gradients } from "../graph/autodiff.ts";
import { buildGraph, type Graph, input, inputOp, outputsOf, type Tensor, topologicalOrder } from "../graph/graph.ts";
import { add, addScalar, div, mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { constant } from "../graph/ops/constant.ts";
import { crossEntropy, isHighest, meanCrossEntropy } from "../graph/ops/cross-entropy.ts";
import { gather } from "../graph/ops/gather.ts";
import { reshape } from "../graph/ops/reshape.ts";
import type { BertConfig } from "./config.ts";
import { type ModelContext, modelContext } from "./context.ts";
import { encoder } from "./encoder.ts";
import { maskedLmHead, nextSentenceHead, pooler } from "./heads.ts";
import { isTrainable, type Trainable } from "./trainable.ts";

/** The shape and the parts of a pre-training graph. */
export interface PretrainingGraphOptions {
  readonly batchSize: number;
  readonly seqLength: number;
  /** Slots for masked positions in each row; unused ones have weight 0. */
  readonly maxPredictions: number;
  /** Whether the graph also computes the gradient of each parameter of `trainable`. */
  readonly gradients: boolean;
  /** `all`; of a smaller part only the backward pass that it needs is built. */
  readonly trainable?: Trainable;
  /** Whether dropout is active; its keep-masks are then inputs. */
  readonly dropout: boolean;
  /** Whether there is next sentence prediction (and the pooler that it stands on). */
  readonly nextSentence: boolean;
  /** Whether each layer is computed again for its gradient: less memory, about a third more time. */
  readonly recompute?: boolean;
}

/** The name of the output that holds a parameter's gradient. */
export function gradientName(parameter: string): string {
  return `grad.${parameter}`;
}

/** Added to the sum of weights that the masked language model's loss is divided by: finite without predictions. */
export const WEIGHT_EPSILON = 1e-5;

/**
 * The graph of one pre-training step.
 *
 * Inputs: every parameter by its Hugging Face name; `input_ids`, `token_type_ids`, `attention_mask` (int32 [batch, seq]);
 * `masked_lm_positions`, `masked_lm_ids` (int32 [batch, predictions]); `masked_lm_weights` (float32, likewise);
 * `next_sentence_labels` (int32 [batch]; a row of -100 does not count); with dropout one `dropout.<site>` (uint8) for each site.
 *
 * Outputs, float32 []: `loss` = `mlm_loss` + `nsp_loss`; `mlm_correct`, `nsp_correct`: counts of right predictions;
 * with gradients `grad.<parameter>` of each trainable parameter, of its shape; without them `mlm_right` (float32
 * [batch * predictions]): 1 where a prediction is right, for measures over words.
 * @throws {ShapeError} when the sequence is longer than the model's positions.
 * Source: run_pretraining.py (get_masked_lm_output, get_next_sentence_output) of google-research/bert.
 */
export function pretrainingGraph(config: BertConfig, options: PretrainingGraphOptions): Graph {
  const { batchSize, seqLength } = options;
  const context = modelContext({ training: options.dropout });
  const tokens = (name: string) => input(name, "int32", [batchSize, seqLength]);
  const inputs = {
    inputIds: tokens("input_ids"),
    tokenTypeIds: tokens("token_type_ids"),
    attentionMask: tokens("attention_mask"),
  };
  const hiddenStates = encoder(context, config, inputs, { recomputeLayers: options.recompute ?? false });
  const sequenceOutput = hiddenStates.at(-1) as Tensor;
  const mlm = maskedLmLoss(context, config, sequenceOutput, options);
  const nsp = options.nextSentence ? nextSentenceLoss(context, config, sequenceOutput, options) : undefined;
  const loss = nsp ? add(mlm.loss, nsp.loss) : mlm.loss;
  const outputs: Record<string, Tensor> = { loss, mlm_loss: mlm.loss, mlm_correct: mlm.correct };
  if (nsp) Object.assign(outputs, { nsp_loss: nsp.loss, nsp_correct: nsp.correct });
  return buildGraph({
    ...outputs,
    ...(options.gradients ? parameterGradients(loss, options.trainable ?? "all") : { mlm_right: mlm.right }),
  });
}

/** The gradient of the loss by every trainable parameter under it, as outputs `grad.<parameter>`. */
export function parameterGradients(loss: Tensor, part: Trainable): Record<string, Tensor> {
  const parameters = topologicalOrder([loss])
    .filter(({ operator, attributes }) => operator === inputOp.definition && attributes.parameter)
    .filter(({ attributes }) => isTrainable(part, attributes.name))
    .map((node) => outputsOf(node)[0] as Tensor);
  const grads = gradients(loss, parameters);
  return Object.fromEntries(parameters.map(({ node }, i) => [gradientName(node.attributes.name), grads[i] as Tensor]));
}

/** A loss and how many predictions were right; float32 []. */
interface LossAndCorrect {
  readonly loss: Tensor;
  readonly correct: Tensor;
}

function maskedLmLoss(
  context: ModelContext,
  config: BertConfig,
  sequenceOutput: Tensor,
  { batchSize, seqLength, maxPredictions }: PretrainingGraphOptions,
): LossAndCorrect & { readonly right: Tensor } {
  const slots = [batchSize, maxPredictions];
  const flat = (tensor: Tensor) => reshape(tensor, [batchSize * maxPredictions]);
  const rowStarts = Array.from({ length: batchSize }, (_, row) => row * seqLength);
  const positions = add(input("masked_lm_positions", "int32", slots), constant("int32", [batchSize, 1], rowStarts));
  const labels = flat(input("masked_lm_ids", "int32", slots));
  const weights = flat(input("masked_lm_weights", "float32", slots));
  const logits = maskedLmHead(context, config, gather(sequenceOutput, flat(positions)));
  const total = reduceSum(mul(crossEntropy(logits, labels), weights));
  const right = mul(isHighest(logits, labels), weights);
  return { loss: div(total, addScalar(reduceSum(weights), WEIGHT_EPSILON)), correct: reduceSum(right), right };
}

function nextSentenceLoss(
  context: ModelContext,
  config: BertConfig,
  sequenceOutput: Tensor,
  { batchSize, seqLength }: PretrainingGraphOptions,
): LossAndCorrect {
  const labels = input("next_sentence_labels", "int32", [batchSize]);
  const logits = nextSentenceHead(context, pooler(context, config, sequenceOutput, batchSize, seqLength));
  return { loss: meanCrossEntropy(logits, labels), correct: reduceSum(isHighest(logits, labels)) };
}
