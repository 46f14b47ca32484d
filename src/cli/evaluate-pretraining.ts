/** `zhbert evaluate` of a pre-trained model on pre-training data: masked language model and next sentences. */
import { UsageError } from "../errors.ts";
import { evaluateOnData, type PretrainingEvaluation } from "../node/evaluate-pretraining.ts";
import { given } from "../util/given.ts";
import { inPercent } from "../util/percent.ts";
import type { CommandContext, Output, Progress } from "./command.ts";
import { downloadOptions } from "./model.ts";
import { engineChoice } from "./runtime-options.ts";

/** Evaluates and prints; `data` is a folder that `zhbert data` wrote. */
export async function evaluatePretrained(context: CommandContext, model: string, data: string): Promise<void> {
  const { options, output, signal } = context;
  if (![undefined, "train", "held-out"].includes(options["split"])) {
    throw new UsageError({ where: "--split", expected: "train or held-out", got: options["split"] });
  }
  const { stop, ...download } = downloadOptions(context);
  let progress: Progress | undefined;
  const { masking, maskedLmProb, seed, split, maxExamples: maxInstances, batchSize } = options;
  const result = await evaluateOnData({
    model,
    data,
    ...given({ masking, maskedLmProb, seed, split, maxInstances, batchSize }),
    ...engineChoice(context),
    download,
    signal,
    onNote: output.note,
    onProgress: (done, batches) => {
      stop();
      progress ??= output.progress({ total: batches, unit: "batches", label: "evaluate" });
      progress.update(done);
    },
  }).finally(() => {
    stop();
    progress?.stop();
  });
  output.json(result);
  print(result, output);
}

function print(result: PretrainingEvaluation, output: Output): void {
  const { mlmLoss, perplexity, mlmAccuracy, mostFrequentAccuracy, wordAccuracy, predictions, words } = result;
  const { split, instances, masking, seed, nspLoss, nspAccuracy, sequences } = result;
  const drawn = seed === undefined ? "as stored" : `drawn by seed ${seed}`;
  output.print(`${instances} instances (${split}), masks of ${masking}, ${drawn}`);
  const rows: [string, string, string][] = [
    ["MLM loss", mlmLoss.toFixed(4), `${predictions} predictions`],
    ["perplexity", perplexity.toFixed(2), ""],
    ["MLM accuracy", percent(mlmAccuracy), ""],
    ["most frequent token", percent(mostFrequentAccuracy), "what a constant answer reaches"],
  ];
  if (wordAccuracy !== undefined) rows.push(["whole words", percent(wordAccuracy), `${words} words, all tokens right`]);
  if (nspLoss > 0) {
    rows.push(["NSP loss", nspLoss.toFixed(4), `${sequences} pairs`], ["NSP accuracy", percent(nspAccuracy), ""]);
  }
  output.table(["metric", "value", "of"], rows);
}

function percent(share: number): string {
  return `${inPercent(share, 2)} %`;
}
