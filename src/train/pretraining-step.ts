/** Pre-training as an objective: how its batches feed the graph, and what is measured on them. */
import { IGNORED_LABEL, type PretrainingBatch } from "../data/instance.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import type { MetricSums } from "./metrics.ts";
import type { PassRunner } from "./pass-runner.ts";
import { type CompileStep as CompileStepOf, expectOutput, type StepOutputs, TrainingStep } from "./training-step.ts";

/** The sizes that a compiled graph is for. */
export type BatchShape = Readonly<Record<"batchSize" | "seqLength" | "maxPredictions", number>>;

/** Compiles the pre-training graph for a shape. */
export type CompileStep = CompileStepOf<BatchShape>;

/** Scalars that the graph may give besides the loss. */
type ScalarName = "mlm_loss" | "nsp_loss" | "mlm_correct" | "nsp_correct";

/** What batches of pre-training are to its graph. */
export const pretrainingObjective = {
  shapeOf: ({ batchSize, seqLength, maxPredictions }: PretrainingBatch): BatchShape => ({
    batchSize,
    seqLength,
    maxPredictions,
  }),
  inputs: batchInputs,
  measure: sums,
};

/** Weights, compiled graphs and buffers of a pre-training run. */
export class PretrainingStep extends TrainingStep<PretrainingBatch, BatchShape, MetricSums> {
  /**
   * @param trainable - float32 weights whose gradients the graph gives. @param seed - of the dropout masks.
   * @param frozen - float32 weights that the graph takes besides. @param passes - who draws the masks.
   */
  constructor(trainable: NamedTensors, compile: CompileStep, seed: number, frozen?: NamedTensors, passes?: PassRunner) {
    super(pretrainingObjective, trainable, compile, seed, frozen, passes);
  }
}

/** The inputs of the graph that are the batch. */
function batchInputs(batch: PretrainingBatch): Record<string, HostTensor> {
  const { batchSize, seqLength, maxPredictions } = batch;
  const tokens = [batchSize, seqLength];
  const slots = [batchSize, maxPredictions];
  return {
    input_ids: hostTensor("int32", tokens, batch.inputIds),
    token_type_ids: hostTensor("int32", tokens, batch.tokenTypeIds),
    attention_mask: hostTensor("int32", tokens, batch.attentionMask),
    masked_lm_positions: hostTensor("int32", slots, batch.maskedLmPositions),
    masked_lm_ids: hostTensor("int32", slots, batch.maskedLmIds),
    masked_lm_weights: hostTensor("float32", slots, batch.maskedLmWeights),
    next_sentence_labels: hostTensor("int32", [batchSize], batch.nextSentenceLabels),
  };
}

function sums(batch: PretrainingBatch, outputs: StepOutputs, flops: number): MetricSums {
  // Without next sentence prediction the graph does not give its loss.
  const scalar = (name: ScalarName) => Number(outputs[name]?.data[0] ?? 0);
  const total = (values: Float32Array | Int32Array) => {
    let sum = 0;
    for (const value of values) sum += value;
    return sum;
  };
  return {
    microBatches: 1,
    loss: Number(expectOutput(outputs, "loss").data[0]),
    mlmLoss: scalar("mlm_loss"),
    nspLoss: scalar("nsp_loss"),
    mlmCorrect: scalar("mlm_correct"),
    predictions: total(batch.maskedLmWeights),
    ...wordSums(batch, outputs["mlm_right"]?.data as Float32Array | undefined),
    nspCorrect: scalar("nsp_correct"),
    sequences: batch.nextSentenceLabels.filter((label) => label !== IGNORED_LABEL).length,
    tokens: total(batch.attentionMask),
    places: batch.batchSize * batch.seqLength,
    flops,
  };
}

/** Words of several tokens that are masked whole, and those whose tokens are all right; a graph with gradients does not tell. */
function wordSums({ maskedWords, maskedLmWeights, maxPredictions }: PretrainingBatch, right?: Float32Array) {
  let [words, wordsCorrect] = [0, 0];
  if (maskedWords === undefined || right === undefined) return { words, wordsCorrect };
  for (let first = 0; first < maskedWords.length; first++) {
    const slot = first % maxPredictions;
    if (maskedWords[first] !== slot || maskedLmWeights[first] === 0) continue;
    words++;
    // The slots of a word follow each other within their row.
    const rowEnd = first - slot + maxPredictions;
    let end = first;
    while (end < rowEnd && maskedWords[end] === slot && right[end] === 1) end++;
    if (end === rowEnd || maskedWords[end] !== slot) wordsCorrect++;
  }
  return { words, wordsCorrect };
}
