/** Operations of matrix products as the peers count them: nothing else is, so that engines can be told apart by them. */
import type { BertConfig } from "../src/model/config.ts";

type EncoderSizes = Pick<BertConfig, "numHiddenLayers" | "hiddenSize" | "intermediateSize">;

/** Forward, and backward for the inputs and for the weights. */
export const TRAINING_PASSES = 3;

/** Of one forward pass of an encoder over `batch` sequences of `seq` tokens. */
export function encoderFlop(
  { numHiddenLayers, hiddenSize, intermediateSize }: EncoderSizes,
  batch: number,
  seq: number,
) {
  const weights = 4 * hiddenSize ** 2 + 2 * hiddenSize * intermediateSize;
  return numHiddenLayers * batch * seq * (2 * weights + 4 * seq * hiddenSize);
}

/** Of one forward pass of the MLM head over `rows` tokens. */
export function mlmHeadFlop({ hiddenSize, vocabSize }: BertConfig, rows: number): number {
  return rows * 2 * hiddenSize * (hiddenSize + vocabSize);
}
