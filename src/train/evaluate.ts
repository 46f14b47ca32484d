/** Loss and accuracy on held-out batches, beside what a constant answer would reach. */
import type { PretrainingBatch } from "../data/instance.ts";
import { WEIGHT_EPSILON } from "../model/pretraining.ts";
import { type EvaluationMetrics, emptySums, means } from "./metrics.ts";
import type { PretrainingStep } from "./pretraining-step.ts";
import { addSums } from "./run-meter.ts";

/**
 * Evaluates the masked language model and next sentence prediction over all batches, without dropout.
 * @param batches - at least one.
 * Source: the eval_metrics of google-research/bert run_pretraining.py; means are over predictions, not over batches.
 */
export async function evaluatePretraining(
  step: Pick<PretrainingStep, "evaluate">,
  batches: Iterable<PretrainingBatch> | AsyncIterable<PretrainingBatch>,
): Promise<EvaluationMetrics> {
  const sums = emptySums();
  const labelCounts = new Map<number, number>();
  let [mlmLoss, nspLoss] = [0, 0];
  for await (const batch of batches) {
    const measured = await step.evaluate(batch);
    addSums(sums, measured);
    // Undoes the division that the loss of a batch ends with.
    mlmLoss += measured.mlmLoss * (measured.predictions + WEIGHT_EPSILON);
    nspLoss += measured.nspLoss * measured.sequences;
    countLabels(batch, labelCounts);
  }
  const { mlmAccuracy, nspAccuracy } = means(sums);
  const mlm = mlmLoss / Math.max(1, sums.predictions);
  const nsp = nspLoss / Math.max(1, sums.sequences);
  return {
    loss: mlm + nsp,
    mlmLoss: mlm,
    nspLoss: nsp,
    mlmAccuracy,
    nspAccuracy,
    mostFrequentAccuracy: Math.max(0, ...labelCounts.values()) / Math.max(1, sums.predictions),
    ...(sums.words > 0 ? { wordAccuracy: sums.wordsCorrect / sums.words } : {}),
    predictions: sums.predictions,
    words: sums.words,
    sequences: sums.sequences,
  };
}

function countLabels({ maskedLmIds, maskedLmWeights }: PretrainingBatch, counts: Map<number, number>): void {
  for (let i = 0; i < maskedLmIds.length; i++) {
    if (maskedLmWeights[i] === 0) continue;
    const id = maskedLmIds[i] as number;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
}
