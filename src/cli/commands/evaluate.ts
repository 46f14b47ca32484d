/** zhbert evaluate: the metrics of a model on labelled data, or of a pre-trained one on pre-training data. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DATASET_FILE } from "../../data/dataset.ts";
import { UsageError, verbatim } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { evaluatePretrained } from "../evaluate-pretraining.ts";
import { evaluateFineTuned } from "../evaluate-task.ts";
import { recordOptions } from "../labelled-data.ts";
import { maskingOption } from "../masking-options.ts";
import { hubOptions, modelArgument } from "../model.ts";
import { probability, wholeNumber } from "../numbers.ts";
import { constrainedOption, windowsOption } from "../task-model.ts";
import { engineOptions } from "../text-input.ts";

export default defineCommand({
  name: "evaluate",
  summary: "measure a model on labelled data, or a pre-trained one on data of zhbert data",
  arguments: [modelArgument],
  options: [
    {
      flags: "--data <path>",
      description: "labelled examples: a file, a data set's folder; or a folder that zhbert data wrote",
    },
    {
      flags: "--split <name>",
      description:
        "of a data set's folder: test, dev, train, ... (default: test, else dev); of pre-training data held-out or train",
    },
    ...recordOptions,
    { flags: "--predictions <file>", description: "keep each prediction: JSON lines; qa in .json: answers by id" },
    { flags: "--report <file>", description: "write an HTML report: classes, confusions, errors with their texts" },
    {
      flags: "--errors <n>",
      description: "the worst errors to show",
      default: 10,
      parse: wholeNumber("--errors", 0),
    },
    maskingOption(" (pre-training data; default: the stored masks)"),
    {
      flags: "--masked-lm-prob <share>",
      description: "pre-training data: draw masks anew, of so many tokens (default: as the data was made)",
      parse: probability("--masked-lm-prob"),
    },
    {
      flags: "--seed <n>",
      description: "of masks that are drawn anew (default: 0)",
      parse: wholeNumber("--seed", 0),
    },
    {
      flags: "--max-examples <n>",
      description: "measure the first ones only",
      parse: wholeNumber("--max-examples", 1),
    },
    {
      flags: "--batch-size <n>",
      description: "pre-training data: sequences in a batch (default: 32); of labelled data see --batch-tokens",
      parse: wholeNumber("--batch-size", 1),
    },
    windowsOption,
    constrainedOption,
    ...engineOptions,
    ...hubOptions,
  ],
  examples: [
    "zhbert evaluate out/ --data test.tsv --report report.html",
    "zhbert evaluate out/ --data chnsenticorp/ --dataset chnsenticorp --json",
    "zhbert evaluate out/ --data cmrc/dev.json --dataset cmrc2018 --predictions answers.json",
    "zhbert evaluate out/ --data data/ --masking whole-word --seed 1",
  ],
  async run(context) {
    const { args, options } = context;
    const data: string | undefined = options["data"];
    if (data === undefined) {
      throw new UsageError({ where: "--data", expected: "the data to measure on", got: verbatim("nothing") });
    }
    const isPretraining = existsSync(join(data, DATASET_FILE));
    const wrong = (isPretraining ? FINE_TUNING_ONLY : PRETRAINING_ONLY).find((name) => context.isGiven(name));
    if (wrong !== undefined) {
      const flag = `--${wrong.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      const expected = isPretraining ? "labelled data" : `a folder that zhbert data wrote (with ${DATASET_FILE})`;
      throw new UsageError({ where: flag, expected, got: data });
    }
    if (isPretraining) await evaluatePretrained(context, args["model"], data);
    else await evaluateFineTuned(context, args["model"], data);
  },
});

/** Options of one kind of data, by name. */
const PRETRAINING_ONLY = ["masking", "maskedLmProb", "seed", "batchSize"];
const FINE_TUNING_ONLY = [
  "dataset",
  "textColumn",
  "textPairColumn",
  "labelColumn",
  "scoreColumn",
  "idColumn",
  "format",
  "predictions",
  "report",
  "errors",
  "batchTokens",
  "windows",
  "constrained",
  "encoding",
];
